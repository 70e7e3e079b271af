"""Workers as processes that can be killed, and the report of the fault tests."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Protocol

import pytest

from tests.conftest import REPOSITORY, Stack
from tests.support.faults.fault_report import PROPERTY, BeginFault, FaultRun, fault_lines, table
from tests.support.faults.shifted_clock import ShiftedClock


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what the fault tests of this session did and found, in whatever process they ran."""
    reports = [report for of_outcome in terminalreporter.stats.values() for report in of_outcome]
    if lines := [line for report in reports for line in fault_lines(report)]:
        terminalreporter.section("fault report")
        for text in table(lines):
            terminalreporter.write_line(text)


@pytest.fixture
def begin_fault(request: pytest.FixtureRequest, seed: int) -> Iterator[BeginFault]:
    """Name the fault that a test inflicts: begin_fault("kill -9 of a worker"); the run gets a line in the report."""
    runs: list[FaultRun] = []

    def begin(fault: str) -> FaultRun:
        runs.append(FaultRun(fault, seed))
        return runs[-1]

    yield begin
    request.node.user_properties += [(PROPERTY, run.cells()) for run in runs]


class Surroundings(Protocol):
    """What a worker connects to, told by its environment."""

    def environment(self) -> dict[str, str]: ...


class WorkerProcess:
    """A worker in a slot of its group; killed and started again it has the slot's partitions back."""

    def __init__(
        self,
        stack: Surroundings,
        roles: tuple[str, ...],
        slot: str,
        log: Path,
        clock: ShiftedClock | None = None,
        /,
        **environment: str,
    ) -> None:
        module = ["streams.cli.main"] if clock is None else ["tests.support.faults.shifted_clock", str(clock.path)]
        self._command = [sys.executable, "-m", *module, "worker", *roles, "--instance-id", slot]
        self._environment = {**os.environ, **stack.environment(), **environment}
        self._log = log
        self.process = self._spawn()

    def _spawn(self) -> subprocess.Popen[bytes]:
        with self._log.open("ab") as log:
            self._log_start = log.tell()
            return subprocess.Popen(
                self._command,
                cwd=REPOSITORY,
                env=self._environment,
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
            )

    async def until_running(self, deadline_s: float = 60.0) -> None:
        """Wait until it says that it runs: from then on a signal makes it drain."""
        await self.until_said(r"Running ", deadline_s)

    async def until_said(self, pattern: str, deadline_s: float = 120.0) -> None:
        """Wait until the log since the last start has a line that matches a regular expression."""
        deadline = time.monotonic() + deadline_s
        while not self.said(pattern):
            assert self.process.poll() is None, self.log()[-2_000:]
            assert time.monotonic() < deadline, f"{pattern} not in the log:\n{self.log()[-2_000:]}"
            await asyncio.sleep(0.02)

    def said(self, pattern: str) -> int:
        """Return how often the log since the last start matches a regular expression."""
        return len(re.findall(pattern.encode(), self._log.read_bytes()[self._log_start :]))

    def kill(self) -> None:
        """End it as a power cut would."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(timeout=30)

    def start(self) -> None:
        """Start it again in its slot."""
        self.process = self._spawn()

    def restart(self) -> None:
        self.kill()
        self.start()

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


@contextmanager
def spawning(surroundings: Surroundings, folder: Path) -> Iterator[SpawnWorker]:
    """Start workers that log to a folder; they end with the context."""
    with ExitStack() as cleanup:

        def spawn(*roles: str, slot: str, **environment: str) -> WorkerProcess:
            log = folder / f"{'-'.join(roles)}-{slot}.log"
            worker = WorkerProcess(surroundings, roles, slot, log, **environment)
            cleanup.callback(worker.stop)
            return worker

        yield spawn


@pytest.fixture
def spawn_worker(stack: Stack, tmp_path: Path) -> Iterator[SpawnWorker]:
    """Start workers: spawn_worker("kpis", slot="0"); they end with the test."""
    with spawning(stack, tmp_path) as spawn:
        yield spawn
