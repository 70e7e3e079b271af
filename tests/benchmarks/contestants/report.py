"""What goes into a contestant and comes out: its command line, its counters, its report.

It imports no data frames: what a contestant holds in memory is its own.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from tests.benchmarks.running.process_usage import cpu_seconds, own_cpu_seconds, own_peak_rss_mb

COUNTERS_FILE = "counters.json"

PaneKey = tuple[str, str, int]
PostKey = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Assignment:
    """What a contestant is told.

    `run_id` is fresh for each run: it names the consumer group and every topic that a framework makes for itself.
    `file` holds the same events as one Avro container; `scratch` is an empty folder for state.
    """

    bootstrap: str
    broker_pid: int
    topic: str
    partitions: int
    events: int
    run_id: str
    file: Path
    scratch: Path
    out: Path


def read_assignment() -> Assignment:
    """Read the command line, the same for every contestant."""
    parser = argparse.ArgumentParser()
    for name in ("bootstrap", "topic", "run-id"):
        parser.add_argument(f"--{name}", required=True)
    for name in ("broker-pid", "events", "partitions"):
        parser.add_argument(f"--{name}", type=int, required=True)
    for name in ("file", "scratch", "out"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    return Assignment(**vars(parser.parse_args()))


@dataclass(slots=True)
class Counters:
    """The panes by persona, kind and hour, and the counters by post and kind."""

    panes: dict[PaneKey, int] = field(default_factory=dict)
    posts: dict[PostKey, int] = field(default_factory=dict)

    def write(self, path: Path) -> None:
        """Write both tables as rows of JSON (read by answers.read_counters)."""
        rows = {
            "panes": [(*key, count) for key, count in self.panes.items()],
            "posts": [(*key, count) for key, count in self.posts.items()],
        }
        path.write_text(json.dumps(rows), encoding="utf-8")


@dataclass(frozen=True, slots=True)
class Reading:
    """Clocks at one moment, seconds: of the wall, of this process and of the broker."""

    wall: float
    own_cpu: float
    broker_cpu: float


class Stopwatch:
    """Time from the first event in hand to the last one counted (and kept, where the contestant keeps state).

    With the CPU time that the contestant's process and the broker took meanwhile, and the peak memory up to the end.
    """

    def __init__(self, broker_pid: int) -> None:
        self._broker_pid = broker_pid
        self.began: Reading | None = None
        self.ended: Reading | None = None
        self.peak_rss_mb = 0.0

    def start(self) -> None:
        """Start at the first call; later ones change nothing."""
        if self.began is None:
            self.began = self._read()

    def stop(self) -> None:
        """Take the end."""
        self.ended = self._read()
        self.peak_rss_mb = own_peak_rss_mb()

    def _read(self) -> Reading:
        return Reading(time.perf_counter(), own_cpu_seconds(), cpu_seconds(self._broker_pid))


@dataclass(frozen=True, slots=True)
class Report:
    """What a contestant writes: `events` counted in `seconds`, and what that took."""

    events: int
    seconds: float
    cpu_seconds: float
    broker_cpu_seconds: float
    peak_rss_mb: float
    versions: Mapping[str, str]


def write_report(assignment: Assignment, watch: Stopwatch, counters: Counters, packages: tuple[str, ...]) -> None:
    """Write the report to `out` and the counters next to it; `packages` are those whose versions matter."""
    began, ended = watch.began, watch.ended
    assert began is not None
    assert ended is not None
    counters.write(assignment.out.parent / COUNTERS_FILE)
    report = Report(
        events=assignment.events,
        seconds=ended.wall - began.wall,
        cpu_seconds=ended.own_cpu - began.own_cpu,
        broker_cpu_seconds=ended.broker_cpu - began.broker_cpu,
        peak_rss_mb=watch.peak_rss_mb,
        versions={package: _version(package) for package in packages},
    )
    assignment.out.write_text(json.dumps(asdict(report)), encoding="utf-8")


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "checkout"  # the platform itself, run from its folder by an interpreter that has its dependencies only
