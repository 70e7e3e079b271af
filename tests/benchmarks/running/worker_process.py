"""Real workers: `threads-agent worker ROLE` as processes, at default settings but for those that are given."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from agents.kpis.partials import TOPIC as PARTIALS
from streams.embedded.process import Launch, spawn, stop
from streams.embedded.server import log_tail
from streams.engine.batch import TopicPartition
from streams.errors import ThreadsError
from tests.benchmarks.job import PARTITIONS, TOPIC
from tests.benchmarks.running.module_process import PROJECT
from tests.benchmarks.running.own_broker import Broker
from tests.benchmarks.running.process_usage import cpu_seconds, peak_rss_mb

ROLE = "kpis"
SOURCES = [TopicPartition(topic, number) for topic in (TOPIC, PARTIALS) for number in range(PARTITIONS)]
"""What the role has committed to the end once the job's events are counted, merged and told."""

LEAST_TIMEOUT_S = 300.0
SLOWEST_EVENTS_PER_S = 1_000.0
KILL_TIMEOUT_S = 30.0


@dataclass(frozen=True, slots=True)
class Usage:
    """What a worker has taken since its start."""

    cpu_seconds: float
    peak_rss_mb: float


class WorkerProcess:
    """A worker in a slot of its group; killed and started again it has the slot's partitions and local store back."""

    def __init__(
        self, broker: Broker, slot: str, settings: Mapping[str, str] | None = None, *, role: str = ROLE
    ) -> None:
        """Start it; `settings` are environment variables."""
        self._log = broker.folder / "logs" / f"worker-{slot}.log"
        command = (sys.executable, "-m", "streams.cli.main", "worker", role, "--instance-id", slot)
        environment = {"THREADS_HOME": str(broker.home), "THREADS_KAFKA": broker.bootstrap, **(settings or {})}
        self._launch = Launch(command, PROJECT, environment)
        self._process = self._spawn()

    def _spawn(self) -> subprocess.Popen[bytes]:
        self._log_start = self._log.stat().st_size if self._log.exists() else 0
        self.started_at = time.time()
        return spawn(self._launch, self._log)

    def check(self) -> None:
        """Raise where it has ended.

        Raises:
            ThreadsError: with what it said last.
        """
        status = self._process.poll()
        if status is not None:
            raise ThreadsError(f"a worker ended with status {status}. It last said: {log_tail(self._log)}")

    def usage(self) -> Usage:
        """Return what it has taken since it was started last."""
        return Usage(cpu_seconds(self._process.pid), peak_rss_mb(self._process.pid))

    def said(self) -> list[str]:
        """Return the lines it has logged since it was started last."""
        with self._log.open("rb") as log:
            log.seek(self._log_start)
            return log.read().decode(errors="replace").splitlines()

    def kill(self) -> None:
        """End it as a power cut would."""
        self._process.send_signal(signal.SIGKILL)
        self._process.wait(KILL_TIMEOUT_S)

    def start_again(self) -> None:
        """Start it in the same slot."""
        self._process = self._spawn()

    def stop(self) -> None:
        """End it gracefully."""
        stop(self._process, signal.SIGTERM)


@contextmanager
def workers(
    broker: Broker, count: int, settings: Mapping[str, str] | None = None, *, role: str = ROLE
) -> Iterator[list[WorkerProcess]]:
    """Run workers of one role's group, which end with the context."""
    broker.home.mkdir(exist_ok=True)
    with ExitStack() as cleanup:
        running = []
        for number in range(count):
            worker = WorkerProcess(broker, str(number), settings, role=role)
            cleanup.callback(worker.stop)
            running.append(worker)
        yield running


def counting_timeout_s(events: int) -> float:
    """Return how long to wait until so many events are counted, however slow the machine is."""
    return LEAST_TIMEOUT_S + events / SLOWEST_EVENTS_PER_S


def local_state(broker: Broker) -> Path:
    """Return the folder of the workers' local stores: without it a worker restores from the changelogs alone."""
    return broker.home / "state"
