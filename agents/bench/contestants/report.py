"""What goes into a contestant and comes out: its command line, its counters, its report."""

from __future__ import annotations

import argparse
import json
import resource
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import polars as pl

from agents.bench.answers import write_answer
from agents.bench.workload import HOUR_MS, PANE_KEY, POST_KEY, Answer

KIB_PER_MB = 1024.0
BYTES_PER_MB = 1024.0 * 1024.0
_STATUS = Path("/proc/self/status")

PaneKey = tuple[str, str, int]
PostKey = tuple[str, str]
PANE_SCHEMA: Mapping[str, type[pl.DataType]] = {
    "persona_id": pl.String,
    "kind": pl.String,
    "hour": pl.Int64,
    "count": pl.Int64,
}
POST_SCHEMA: Mapping[str, type[pl.DataType]] = {"post_id": pl.String, "kind": pl.String, "count": pl.Int64}


@dataclass(frozen=True, slots=True)
class Assignment:
    """What a contestant is told.

    `run_id` is fresh for each run: it names the consumer group and every topic that a framework makes for itself.
    `file` holds the same events as one Avro container; `scratch` is an empty folder for state.
    """

    bootstrap: str
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
    for name in ("events", "partitions"):
        parser.add_argument(f"--{name}", type=int, required=True)
    for name in ("file", "scratch", "out"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    return Assignment(**vars(parser.parse_args()))


@dataclass(slots=True)
class Counters:
    """The panes by persona, kind and hour, and the counters by post and kind."""

    panes: dict[PaneKey, int] = field(default_factory=dict)
    posts: dict[PostKey, int] = field(default_factory=dict)

    def answer(self) -> Answer:
        """Return the counters as the tables that are checked."""
        panes = [(*key, count) for key, count in self.panes.items()]
        posts = [(*key, count) for key, count in self.posts.items()]
        return Answer(
            pl.DataFrame(panes, schema=PANE_SCHEMA, orient="row").sort(PANE_KEY),
            pl.DataFrame(posts, schema=POST_SCHEMA, orient="row").sort(POST_KEY),
        )


@dataclass(slots=True)
class Stopwatch:
    """Seconds from the first event in hand to the last one counted (and kept, where the contestant keeps state)."""

    began: float | None = None
    ended: float | None = None

    def start(self) -> None:
        """Start at the first call; later ones change nothing."""
        if self.began is None:
            self.began = time.perf_counter()

    def stop(self) -> None:
        """Take the end."""
        self.ended = time.perf_counter()

    @property
    def seconds(self) -> float:
        """Return the time between."""
        assert self.began is not None
        assert self.ended is not None
        return self.ended - self.began


@dataclass(frozen=True, slots=True)
class Report:
    """What a contestant writes: `events` counted in `seconds`, and its peak memory."""

    events: int
    seconds: float
    peak_rss_mb: float
    versions: Mapping[str, str]


def write_report(
    assignment: Assignment,
    watch: Stopwatch,
    answer: Answer,
    packages: tuple[str, ...],
    *,
    peak_rss: float | None = None,
) -> None:
    """Write the report to `out` and the answer next to it; `packages` are those whose versions matter.

    `peak_rss` (MB) is for contestants whose work happens in other processes; else this process's own is taken.
    """
    memory = peak_rss_mb() if peak_rss is None else peak_rss
    write_answer(assignment.out.parent, answer)
    versions = {package: _version(package) for package in packages}
    report = Report(assignment.events, watch.seconds, memory, versions)
    assignment.out.write_text(json.dumps(asdict(report)), encoding="utf-8")


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "checkout"  # the platform itself, run from its folder by an interpreter that has its dependencies only


def peak_rss_mb() -> float:
    """Return the peak resident memory of this process in MB.

    From /proc where there is one: ru_maxrss also holds what the parent had when it started this process.
    """
    if _STATUS.exists():
        lines = (line.split() for line in _STATUS.read_text(encoding="ascii").splitlines())
        return next(int(words[1]) for words in lines if words[0] == "VmHWM:") / KIB_PER_MB
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (BYTES_PER_MB if sys.platform == "darwin" else KIB_PER_MB)


def hour_of(occurred_ms: int) -> int:
    """Return the hour since the epoch that a time lies in."""
    return occurred_ms // HOUR_MS
