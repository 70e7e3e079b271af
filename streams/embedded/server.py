"""The contract of an embedded server: prepared once, launched, probed until ready, known by an address."""

from __future__ import annotations

import http.client
import subprocess
import time
import urllib.error
import urllib.request
from abc import ABC, abstractmethod
from pathlib import Path
from typing import ClassVar

from streams.embedded.process import Launch, spawn, stop
from streams.errors import ThreadsError

PROBE_INTERVAL_S = 0.05
PROBE_TIMEOUT_S = 1.0
LOG_TAIL_LINES = 5

_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # loopback never goes through a proxy


class ServerFailed(ThreadsError):
    """A server of the embedded stack did not start; the message ends with what it last logged."""


class Server(ABC):
    """One server process. `prepare` may take long and is safe to repeat; the others return within a second."""

    role: ClassVar[str]
    start_timeout_s: ClassVar[float] = 60.0

    @property
    @abstractmethod
    def address(self) -> str:
        """Return the address shown to people: host:port or a URL, without secrets."""

    @property
    @abstractmethod
    def endpoints(self) -> dict[str, str]:
        """Return the entries of endpoints.json this server answers for."""

    @abstractmethod
    def prepare(self) -> None:
        """Make the files it needs: programs, configuration, an empty data folder. What exists is kept."""

    @abstractmethod
    def launch(self) -> Launch:
        """Return how to start it."""

    @abstractmethod
    def is_ready(self) -> bool:
        """Tell whether it answers; never blocks for more than a second."""


def answers(url: str) -> bool:
    """Tell whether GET of an http URL of a server on loopback answers 200 within a second."""
    try:
        with _opener.open(url, timeout=PROBE_TIMEOUT_S) as response:
            return bool(response.status == http.client.OK)
    except (urllib.error.URLError, http.client.HTTPException, OSError):
        return False


def log_tail(log: Path, lines: int = LOG_TAIL_LINES) -> str:
    """Return the last lines of a log, or an empty text when there is none."""
    if not log.exists():
        return ""
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])


def run_server(server: Server, logs: Path) -> subprocess.Popen[bytes]:
    """Prepare and start a server, and wait until it is ready; the caller stops it.

    Raises:
        ServerFailed: it ended, or was not ready in `start_timeout_s`; nothing is left running.
    """
    server.prepare()
    log = logs / f"{server.role}.log"
    process = spawn(server.launch(), log)
    deadline = time.monotonic() + server.start_timeout_s
    while process.poll() is None:
        if server.is_ready():
            return process
        if time.monotonic() > deadline:
            stop(process, server.launch().stop_signal)
            raise ServerFailed(f"{server.role} was not ready within {server.start_timeout_s:.0f} s:\n{log_tail(log)}")
        time.sleep(PROBE_INTERVAL_S)
    raise ServerFailed(f"{server.role} ended with status {process.returncode} while starting:\n{log_tail(log)}")
