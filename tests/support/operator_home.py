"""A home of the embedded stack and the commands an operator runs in it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil

from tests.conftest import CACHE

COMMAND_TIMEOUT_S = 120


class Home:
    """A home and the commands run in it."""

    def __init__(self, folder: Path, **settings: str) -> None:
        self.folder = folder
        self.environment = {**os.environ, "THREADS_HOME": str(folder), "THREADS_CACHE": str(CACHE), **settings}

    def run(
        self, *arguments: str, prefix: tuple[str, ...] = (), timeout_s: float = COMMAND_TIMEOUT_S
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*prefix, sys.executable, "-m", "streams.cli.main", *arguments],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )

    def told(self, *arguments: str, timeout_s: float = COMMAND_TIMEOUT_S) -> str:
        """Run a command that has to succeed, and return what it prints."""
        done = self.run(*arguments, timeout_s=timeout_s)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def up(self, *arguments: str) -> None:
        done = self.run("up", "--detach", "--no-workers", *arguments)
        assert done.returncode == 0, done.stdout + done.stderr

    def status(self) -> dict[str, dict[str, object]]:
        return {entry["role"]: entry for entry in json.loads(self.run("status", "--json").stdout)}

    def pid(self, role: str) -> int:
        pid = self.status()[role]["pid"]
        assert isinstance(pid, int)
        return pid

    def supervisor(self) -> psutil.Process:
        found = json.loads((self.folder / "supervisor.json").read_text())["supervisor"]
        return psutil.Process(found["pid"])


def eventually(condition: Callable[[], bool], deadline_s: float = 30) -> bool:
    """Wait for a condition; return whether it came true."""
    until = time.monotonic() + deadline_s
    while time.monotonic() < until:
        if condition():
            return True
        time.sleep(0.1)
    return False
