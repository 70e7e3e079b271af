"""The contest: a broker of its own, the workload loaded once, every contestant run apart and in turn."""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median

from agents.bench.answers import difference, read_answer
from agents.bench.load import FILE_NAME
from agents.bench.roster import Contestant
from agents.bench.workload import WorkloadSize
from streams.embedded.kafka import KafkaServer, Node
from streams.embedded.ports import free_port
from streams.embedded.process import stop
from streams.embedded.server import run_server
from streams.errors import ThreadsError

PROJECT = Path(__file__).resolve().parents[2]
TOPIC = "engagement.events"
PARTITIONS = 4
LEAST_TIMEOUT_S = 300.0
SLOWEST_EVENTS_PER_S = 500.0
LOG_TAIL_CHARACTERS = 600


@dataclass(frozen=True, slots=True)
class Run:
    """One run of a contestant."""

    events_per_second: float
    peak_rss_mb: float
    difference: str | None
    versions: dict[str, str]


@dataclass(frozen=True, slots=True)
class Standing:
    """A contestant's runs put together; `failure` says why there are none."""

    contestant: Contestant
    events: int
    runs: tuple[Run, ...] = ()
    failure: str | None = None

    @property
    def rates(self) -> list[float]:
        """Return the events per second of each run."""
        return [run.events_per_second for run in self.runs]

    @property
    def difference(self) -> str | None:
        """Return how the first wrong answer differs, None where all are right."""
        return next((run.difference for run in self.runs if run.difference), None)

    def summary(self) -> dict[str, object]:
        """Return what --json shows of the contestant."""
        if not self.runs:
            return {"name": self.contestant.name, "error": self.failure}
        return {
            "name": self.contestant.name,
            "events_per_second": round(median(self.rates)),
            "min": round(min(self.rates)),
            "max": round(max(self.rates)),
            "peak_rss_mb": round(max(run.peak_rss_mb for run in self.runs), 1),
            "correct": self.difference is None,
            "events": self.events,
            "runs": len(self.runs),
            **({"difference": self.difference} if self.difference else {}),
        }


@contextmanager
def broker(folder: Path, cache: Path) -> Iterator[str]:
    """Run a Kafka of the contest's own and return its address: no other data or worker is near it."""
    server = KafkaServer(folder / "kafka", cache, Node(port=free_port(), controller_port=free_port()))
    process = run_server(server, folder / "logs")
    try:
        yield server.address
    finally:
        stop(process, server.launch().stop_signal)


class Contest:
    """Load the workload and run contestants on it, each with a fresh consumer group and an empty state folder."""

    def __init__(self, *, python: Path, bootstrap: str, folder: Path, size: WorkloadSize) -> None:
        """Use `python` to run the contestants and `folder` for everything they write."""
        self._python = python
        self._bootstrap = bootstrap
        self._folder = folder
        self._size = size

    def load(self, contestants: Sequence[Contestant]) -> None:
        """Make and fill a topic for each number of events that these contestants get."""
        for events in sorted({self.events_of(one) for one in contestants}):
            self._load(replace(self._size, events=events))

    def events_of(self, contestant: Contestant) -> int:
        """Return how many events a contestant counts."""
        return min(self._size.events, contestant.max_events or self._size.events)

    def standings(
        self, contestants: Sequence[Contestant], repeats: int, on_run: Callable[[Contestant], None]
    ) -> list[Standing]:
        """Run everyone `repeats` times, in turns, so that what else the machine does falls on all alike."""
        standings = {one.name: Standing(one, self.events_of(one)) for one in contestants}
        for number in range(repeats):
            for one in contestants:
                on_run(one)
                standing = standings[one.name]
                if standing.failure is None:
                    standings[one.name] = self._one_more(standing, number)
        return list(standings.values())

    def _one_more(self, standing: Standing, number: int) -> Standing:
        try:
            run = self._run(standing.contestant, standing.events, number)
        except ThreadsError as error:
            return replace(standing, failure=str(error))
        return replace(standing, runs=(*standing.runs, run))

    def _load(self, size: WorkloadSize) -> None:
        folder = self._workload_folder(size.events)
        folder.mkdir(parents=True)
        options = {
            "bootstrap": self._bootstrap,
            "topic": self._topic(size.events),
            "partitions": PARTITIONS,
            "folder": folder,
            "events": size.events,
            "personas": size.personas,
            "posts": size.posts,
            "seed": size.seed,
            "end-ms": size.end_ms,
        }
        self._python_module("agents.bench.load", options, folder / "load.log", size.events)

    def _run(self, contestant: Contestant, events: int, number: int) -> Run:
        run_id = f"bench-{contestant.name}-{number + 1}-{secrets.token_hex(4)}"
        workload, folder = self._workload_folder(events), self._folder / run_id
        (folder / "scratch").mkdir(parents=True)
        options = {
            "bootstrap": self._bootstrap,
            "topic": self._topic(events),
            "partitions": PARTITIONS,
            "events": events,
            "run-id": run_id,
            "file": workload / FILE_NAME,
            "scratch": folder / "scratch",
            "out": folder / "report.json",
        }
        self._python_module(contestant.module, options, folder / "run.log", events)
        report = json.loads((folder / "report.json").read_text(encoding="utf-8"))
        return Run(
            events_per_second=report["events"] / report["seconds"],
            peak_rss_mb=report["peak_rss_mb"],
            difference=difference(read_answer(folder), read_answer(workload)),
            versions=report["versions"],
        )

    def _workload_folder(self, events: int) -> Path:
        return self._folder / f"workload-{events}"

    def _topic(self, events: int) -> str:
        return TOPIC if events == self._size.events else f"{TOPIC}.{events}"

    def _python_module(self, module: str, options: dict[str, object], log: Path, events: int) -> None:
        arguments = [text for name, value in options.items() for text in (f"--{name}", str(value))]
        timeout_s = LEAST_TIMEOUT_S + events / SLOWEST_EVENTS_PER_S
        with log.open("wb") as output:
            process = subprocess.Popen(  # noqa: S603 - our own command line
                [str(self._python), "-m", module, *arguments],
                cwd=PROJECT,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            try:
                status = process.wait(timeout_s)
            except subprocess.TimeoutExpired:
                raise ThreadsError(f"{module} did not end within {timeout_s:.0f} s. {_tail(log)}") from None
            finally:
                _end_session(process)
        if status:
            raise ThreadsError(f"{module} ended with status {status}. {_tail(log)}")


def _end_session(process: subprocess.Popen[bytes]) -> None:
    """Kill what a contestant left running: it and its children have a session of their own."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return
    process.wait()


def _tail(log: Path) -> str:
    return "It last said: " + log.read_text(encoding="utf-8", errors="replace")[-LOG_TAIL_CHARACTERS:].strip()
