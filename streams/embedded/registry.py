"""Embedded schema registry: the committed file registry behind Confluent's HTTP interface."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import ClassVar

from streams.embedded.ports import LOOPBACK
from streams.embedded.process import Launch
from streams.embedded.server import Server, answers


class RegistryServer(Server):
    """`schemas.registries.server` with what clients register kept in `folder`."""

    role: ClassVar[str] = "schemas"

    def __init__(self, folder: Path, port: int) -> None:
        self.folder = folder.absolute()
        self.port = port

    @property
    def address(self) -> str:
        """Return the registry's URL."""
        return f"http://{LOOPBACK}:{self.port}"

    @property
    def endpoints(self) -> dict[str, str]:
        """Return the registry's URL."""
        return {"schemas": self.address}

    def prepare(self) -> None:
        """Make the folder."""
        self.folder.mkdir(parents=True, exist_ok=True)

    def launch(self) -> Launch:
        """Return the command line; -P keeps the working folder out of the module path."""
        module = ("-P", "-m", "schemas.registries.server")
        return Launch((sys.executable, *module, "--port", str(self.port), "--folder", str(self.folder)), self.folder)

    def is_ready(self) -> bool:
        """Tell whether it lists its subjects."""
        return answers(f"{self.address}/subjects")
