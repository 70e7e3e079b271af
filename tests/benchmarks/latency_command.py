"""The command `threads-agent bench latency`: how soon an event is told, and what short checkpoint intervals cost."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from streams.kafka.topics import create_topics
from streams.settings import Settings
from tests.benchmarks.kpi_contest import Contest
from tests.benchmarks.kpis_command import this_hour_ms
from tests.benchmarks.latency import Latency, Load, measure
from tests.benchmarks.number_list import numbers
from tests.benchmarks.printing import print_json, print_results
from tests.benchmarks.roster import PLATFORM
from tests.benchmarks.running.group_progress import GroupProgress
from tests.benchmarks.running.own_broker import Broker, broker
from tests.benchmarks.running.worker_process import ROLE, WorkerProcess, workers
from tests.benchmarks.running.workload import WorkloadSize
from tests.benchmarks.standing import Standing

INTERVAL = "THREADS_CHECKPOINT_INTERVAL_S"
START_TIMEOUT_S = 60.0
LATENCY_COLUMNS = ("checkpoint interval s", "p50 ms", "p95 ms", "p99 ms", "max ms", "events")
RATE_COLUMN = "events/s at full load"


@dataclass(frozen=True, slots=True)
class Point:
    """What one checkpoint interval gives; `full_load` only where it was asked for."""

    interval_s: float
    latency: Latency
    full_load: Standing | None

    def as_json(self) -> dict[str, Any]:
        """Return what --json shows."""
        rate = {} if self.full_load is None else {"full_load": self.full_load.summary()}
        return {"checkpoint_interval_s": self.interval_s, "latency": asdict(self.latency), **rate}

    def row(self) -> list[object]:
        """Return a row of the table."""
        found = self.latency
        row = [self.interval_s, found.p50_ms, found.p95_ms, found.p99_ms, found.max_ms, found.events]
        rate = [] if self.full_load is None else [self.full_load.summary().get("events_per_second", "failed")]
        return [*row, *rate]


@click.command("latency", epilog="Example: threads-agent bench latency --checkpoint-interval 0.05,0.1,0.25,0.5,1,2")
@click.option("--rate", default=50.0, show_default=True, type=click.FloatRange(0.1), help="Events a second.")
@click.option("--seconds", default=30.0, show_default=True, type=click.FloatRange(1.0), help="How long is measured.")
@click.option("--warm-up", default=10.0, show_default=True, type=click.FloatRange(0.0), help="Seconds before that.")
@click.option(
    "--checkpoint-interval",
    "intervals",
    default="",
    callback=numbers,
    help="Seconds, with commas between: each is measured, at full load too. By default the default one, at low load.",
)
@click.option(
    "--events", default=1_000_000, show_default=True, type=click.IntRange(1_000), help="Events of the full load."
)
@click.option("--repeats", default=1, show_default=True, type=click.IntRange(1), help="Runs of the full load.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def latency(
    *,
    rate: float,
    seconds: float,
    warm_up: float,
    intervals: tuple[float, ...],
    events: int,
    repeats: int,
    as_json: bool,
) -> None:
    """Measure the time from an event's append to its being readable, counted, in kpi.updates, at low load.

    A worker process and a broker of its own are started for it. With checkpoint intervals given, each is measured, and
    so is the rate of the KPI job at full load with it.
    """
    load = Load(rate, seconds, warm_up)
    standings = _at_full_load(intervals, events, repeats)
    points = [
        Point(interval, _at_low_load(load, {INTERVAL: str(interval)}), standings.get(interval))
        for interval in intervals or (_default_interval(),)
    ]
    if as_json:
        print_json({"events_per_second": rate, "seconds": seconds, "points": [point.as_json() for point in points]})
    else:
        columns = (*LATENCY_COLUMNS, *([RATE_COLUMN] if intervals else []))
        print_results(f"From append to kpi.updates at {rate:g} events/s", columns, [point.row() for point in points])
    if not all(standing.is_right for standing in standings.values()):
        sys.exit(1)


def _default_interval() -> float:
    return float(Settings.model_fields["checkpoint_interval_s"].default)


def _at_full_load(intervals: tuple[float, ...], events: int, repeats: int) -> dict[float, Standing]:
    if not intervals:
        return {}
    console = Console(stderr=True)
    python = Path(sys.executable)
    size = WorkloadSize(events=events, end_ms=this_hour_ms())
    standings = {}
    with broker(events * len(intervals) * repeats) as running, console.status("loading") as status:
        Contest(python, running, size).load([PLATFORM])
        for interval in intervals:
            status.update(f"full load, checkpoint interval {interval:g} s")
            contest = Contest(python, running, size, {INTERVAL: str(interval)})
            (standings[interval],) = contest.standings([PLATFORM], repeats, lambda _: None)
    return standings


def _at_low_load(load: Load, settings: Mapping[str, str]) -> Latency:
    waited = f"low load for {load.warm_up_s + load.seconds:g} s, {' '.join(settings.values())} s between checkpoints"
    with broker(0) as running, Console(stderr=True).status(waited):
        asyncio.run(create_topics(running.cluster()))
        with workers(running, 1, settings) as (worker,):
            return asyncio.run(_measured(running, load, worker))


async def _measured(running: Broker, load: Load, worker: WorkerProcess) -> Latency:
    async with GroupProgress(running.cluster(), ROLE) as group:
        await group.until_members(1, START_TIMEOUT_S, worker.check)
    return await measure(running.cluster(), load, worker.check)
