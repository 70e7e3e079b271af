"""Cost per event of the platform as the job grows: by events, and by personas."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.kpi_contest import Contest
from tests.benchmarks.roster import PLATFORM
from tests.benchmarks.running.own_broker import broker
from tests.benchmarks.running.workload import WorkloadSize
from tests.benchmarks.standing import Standing


@dataclass(frozen=True, slots=True)
class Point:
    """The platform's runs on one size of the job."""

    size: WorkloadSize
    standing: Standing


def points(
    events: tuple[int, ...], personas: tuple[int, ...], persona_events: int, default: WorkloadSize
) -> list[WorkloadSize]:
    """Return the sizes to measure: each number of events with the default's personas, then each number of personas.

    A size that is in both comes once.
    """
    by_events = [_sized(default, count, default.personas) for count in events]
    by_personas = [_sized(default, persona_events, count) for count in personas]
    return list(dict.fromkeys([*by_events, *by_personas]))


def _sized(default: WorkloadSize, events: int, personas: int) -> WorkloadSize:
    return WorkloadSize(events=events, personas=personas, posts=default.posts, seed=default.seed, end_ms=default.end_ms)


def measured(size: WorkloadSize, repeats: int) -> Point:
    """Run the platform on a size of the job, on a broker of its own, whose disk is free again afterwards."""
    with broker(size.events * repeats) as running:
        contest = Contest(Path(sys.executable), running, size)
        contest.load([PLATFORM])
        (standing,) = contest.standings([PLATFORM], repeats, lambda _: None)
    return Point(size, standing)
