"""Workers as processes that can be killed, and a way to read what they told."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Protocol

import pytest

from tests.conftest import Stack


class Surroundings(Protocol):
    """What a worker connects to, told by its environment."""

    def environment(self) -> dict[str, str]: ...


class WorkerProcess:
    """A worker in a slot of its group; killed and started again it has the slot's partitions back."""

    def __init__(self, stack: Surroundings, roles: tuple[str, ...], slot: str, log: Path, **environment: str) -> None:
        self._command = [sys.executable, "-m", "streams.cli.main", "worker", *roles, "--instance-id", slot]
        self._environment = {**os.environ, **stack.environment(), **environment}
        self._log = log
        self.process = self._spawn()

    def _spawn(self) -> subprocess.Popen[bytes]:
        with self._log.open("ab") as log:
            self._log_start = log.tell()
            return subprocess.Popen(
                self._command, env=self._environment, stdout=log, stderr=log, stdin=subprocess.DEVNULL
            )

    async def until_running(self, deadline_s: float = 60.0) -> None:
        """Wait until it says that it runs: from then on a signal makes it drain."""
        deadline = time.monotonic() + deadline_s
        while b"Running " not in self._log.read_bytes()[self._log_start :]:
            assert self.process.poll() is None, self.log()[-2_000:]
            assert time.monotonic() < deadline, self.log()[-2_000:]
            await asyncio.sleep(0.05)

    def kill(self) -> None:
        """End it as a power cut would."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(timeout=30)

    def restart(self) -> None:
        self.kill()
        self.process = self._spawn()

    def stop(self) -> int:
        """End it gracefully and return its exit status."""
        if self.process.poll() is None:
            self.process.terminate()
        try:
            return self.process.wait(timeout=60)
        except subprocess.TimeoutExpired:
            self.kill()
            raise

    def log(self) -> str:
        return self._log.read_text(errors="replace")


SpawnWorker = Callable[..., WorkerProcess]


@pytest.fixture
def spawn_worker(stack: Stack, tmp_path: Path) -> Iterator[SpawnWorker]:
    """Start workers: spawn_worker("kpis", slot="0"); they end with the test."""
    with ExitStack() as cleanup:

        def spawn(*roles: str, slot: str, **environment: str) -> WorkerProcess:
            worker = WorkerProcess(stack, roles, slot, tmp_path / f"{'-'.join(roles)}-{slot}.log", **environment)
            cleanup.callback(worker.stop)
            return worker

        yield spawn
