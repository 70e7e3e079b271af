"""A module run as a program of its own, to its end: output to a log, everything it started gone with it."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from streams.embedded.process import Launch, spawn
from streams.embedded.server import log_tail
from streams.errors import ThreadsError

PROJECT = Path(__file__).resolve().parents[3]


@dataclass(frozen=True, slots=True)
class ModuleRun:
    """`python -m module --name value ...`, run from the project's folder; `environment` is added to this process's."""

    python: Path
    module: str
    options: Mapping[str, object]
    log: Path
    timeout_s: float
    environment: Mapping[str, str] = field(default_factory=dict)

    def run(self) -> None:
        """Run it to its end.

        Raises:
            ThreadsError: it ended with another status than 0, or not in time; the message has what it said last.
        """
        options = [text for name, value in self.options.items() for text in _option(name, value)]
        command = (str(self.python), "-m", self.module, *options)
        process = spawn(Launch(command, PROJECT, self.environment, inherit=True), self.log)
        try:
            status = process.wait(self.timeout_s)
        except subprocess.TimeoutExpired:
            raise ThreadsError(f"{self.module} did not end within {self.timeout_s:.0f} s. {self._said()}") from None
        finally:
            _end_session(process)
        if status:
            raise ThreadsError(f"{self.module} ended with status {status}. {self._said()}")

    def _said(self) -> str:
        return f"It last said: {log_tail(self.log)}"


def _option(name: str, value: object) -> list[str]:
    if isinstance(value, bool):
        return [f"--{name}"] if value else []
    return [f"--{name}", str(value)]


def _end_session(process: subprocess.Popen[bytes]) -> None:
    """Kill what it left running: it and its children have a session of their own."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return
    process.wait()
