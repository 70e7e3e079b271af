"""The contest: the workload loaded once into a broker, every contestant run apart and in turn."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from streams.errors import ThreadsError
from tests.benchmarks.answers import difference, read_answer, read_counters
from tests.benchmarks.contestants.report import COUNTERS_FILE
from tests.benchmarks.job import PARTITIONS, TOPIC
from tests.benchmarks.roster import Contestant
from tests.benchmarks.running.load import FILE_NAME
from tests.benchmarks.running.loading import load
from tests.benchmarks.running.module_process import ModuleRun
from tests.benchmarks.running.own_broker import Broker
from tests.benchmarks.running.workload import WorkloadSize
from tests.benchmarks.standing import Run, Standing

LEAST_TIMEOUT_S = 300.0
SLOWEST_EVENTS_PER_S = 500.0


@dataclass(frozen=True, slots=True)
class Contest:
    """Load the workload and run contestants on it, each with a fresh consumer group and an empty state folder.

    `python` runs the contestants; `environment` is added to theirs, e.g. a setting of the platform.
    """

    python: Path
    broker: Broker
    size: WorkloadSize
    environment: Mapping[str, str] = field(default_factory=dict)

    def load(self, contestants: Sequence[Contestant]) -> None:
        """Make and fill a topic for each number of events that these contestants get."""
        for events in sorted({self.events_of(one) for one in contestants}):
            file = any(one.reads_file for one in contestants if self.events_of(one) == events)
            load(self.broker, self.python, replace(self.size, events=events), self._topic(events), file=file)

    def events_of(self, contestant: Contestant) -> int:
        """Return how many events a contestant counts."""
        return min(self.size.events, contestant.max_events or self.size.events)

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

    def _run(self, contestant: Contestant, events: int, number: int) -> Run:
        run_id = f"bench-{contestant.name}-{number + 1}-{secrets.token_hex(4)}"
        workload, folder = self.broker.folder / f"workload-{events}", self.broker.folder / run_id
        (folder / "scratch").mkdir(parents=True)
        options = {
            "bootstrap": self.broker.bootstrap,
            "broker-pid": self.broker.pid,
            "topic": self._topic(events),
            "partitions": PARTITIONS,
            "events": events,
            "run-id": run_id,
            "file": workload / FILE_NAME,
            "scratch": folder / "scratch",
            "out": folder / "report.json",
        }
        timeout_s = LEAST_TIMEOUT_S + events / SLOWEST_EVENTS_PER_S
        log = folder / "run.log"
        ModuleRun(self.python, contestant.module, options, log, timeout_s, self.environment).run()
        report = json.loads((folder / "report.json").read_text(encoding="utf-8"))
        wrong = difference(read_counters(folder / COUNTERS_FILE), read_answer(workload))
        return Run(**report, difference=wrong)

    def _topic(self, events: int) -> str:
        return TOPIC if events == self.size.events else f"{TOPIC}.{events}"
