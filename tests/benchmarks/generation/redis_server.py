"""A Redis of the benchmark's own, for the contestant that needs one: Debian's redis-server, nothing kept on disk."""

from __future__ import annotations

import shutil
import socket
from pathlib import Path
from typing import ClassVar

from streams.embedded.ports import LOOPBACK
from streams.embedded.process import Launch
from streams.embedded.server import Server, ServerFailed

PROGRAM = "redis-server"
INSTALL = "apt-get install redis-server"
PROBE_TIMEOUT_S = 1.0


def redis_program() -> str | None:
    """Return the path of redis-server, None where it is not installed."""
    return shutil.which(PROGRAM)


class RedisServer(Server):
    """The server, in memory only: a broker that forgets is the fastest one."""

    role: ClassVar[str] = "redis"

    def __init__(self, folder: Path, port: int) -> None:
        self.folder = folder
        self.port = port

    @property
    def address(self) -> str:
        """Return the URL of its first database."""
        return f"redis://{LOOPBACK}:{self.port}/0"

    @property
    def endpoints(self) -> dict[str, str]:
        """Return nothing: it is no part of the embedded stack."""
        return {}

    def prepare(self) -> None:
        """Make its folder.

        Raises:
            ServerFailed: redis-server is not installed.
        """
        if redis_program() is None:
            raise ServerFailed(f"{PROGRAM} is not on PATH: {INSTALL}")
        self.folder.mkdir(parents=True, exist_ok=True)

    def launch(self) -> Launch:
        """Return the command line."""
        program = redis_program()
        assert program is not None, "prepare has found it"
        options = ("--bind", LOOPBACK, "--port", str(self.port), "--save", "", "--appendonly", "no")
        return Launch((program, *options), self.folder)

    def is_ready(self) -> bool:
        """Tell whether it answers a PING."""
        try:
            with socket.create_connection((LOOPBACK, self.port), PROBE_TIMEOUT_S) as connection:
                connection.settimeout(PROBE_TIMEOUT_S)
                connection.sendall(b"PING\r\n")
                return connection.recv(16).startswith(b"+PONG")
        except OSError:
            return False
