"""Embedded model: one of a wheel or a GGUF file of one's own, served where no provider is configured."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import ClassVar

from streams.embedded.offline_models import SMOLLM2, model_file, offline_model_of
from streams.embedded.ports import LOOPBACK
from streams.embedded.process import Launch
from streams.embedded.server import Server, answers


class ModelServer(Server):
    """llama.cpp's server with the offline model."""

    role: ClassVar[str] = "llm"

    def __init__(self, folder: Path, port: int, model: str = SMOLLM2.name, cache: Path | None = None) -> None:
        """Serve what THREADS_OFFLINE_MODEL names; a file that comes in parts is put together in `cache`."""
        self.folder = folder.absolute()
        self.port = port
        self._model = offline_model_of(model)
        self._cache = cache or self.folder

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
        self.folder.mkdir(parents=True, exist_ok=True)
        model_file(self._model, self._cache)

    def launch(self) -> Launch:
        """Return the command line; -P keeps the working folder out of the module path."""
        module = ("-P", "-m", "streams.embedded.llm_server")
        arguments = ("--port", str(self.port), "--model", str(model_file(self._model, self._cache)))
        return Launch((sys.executable, *module, *arguments), self.folder)

    def is_ready(self) -> bool:
        """Tell whether the model is loaded."""
        return answers(f"http://{LOOPBACK}:{self.port}/health")
