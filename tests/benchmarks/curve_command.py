"""The command `threads-agent bench curve`: whether the cost of an event stays flat as the job grows."""

from __future__ import annotations

import os
import sys
from typing import Any

import click
from rich.console import Console

from streams.cli.table import print_text
from tests.benchmarks.curve import Point, measured, points
from tests.benchmarks.kpis_command import this_hour_ms
from tests.benchmarks.number_list import whole_numbers
from tests.benchmarks.printing import print_json, print_results
from tests.benchmarks.running.workload import WorkloadSize

DEFAULT_SIZE = WorkloadSize()
COLUMNS = ("events", "personas", "events/s", "min", "max", "CPU s per million", "broker CPU s", "peak MB", "answer")
FIGURES = (
    "events_per_second",
    "min",
    "max",
    "cpu_seconds_per_million_events",
    "broker_cpu_seconds",
    "peak_rss_mb",
)


@click.command("curve", epilog="Example: threads-agent bench curve --events 100000,1000000,10000000 --personas ''")
@click.option(
    "--events",
    default="100000,300000,1000000,3000000,10000000",
    show_default=True,
    callback=whole_numbers,
    help="Numbers of events, with commas between.",
)
@click.option(
    "--personas",
    default="100,1000,10000",
    show_default=True,
    callback=whole_numbers,
    help="Numbers of personas, with commas between.",
)
@click.option(
    "--persona-events",
    default=1_000_000,
    show_default=True,
    type=click.IntRange(1_000),
    help="Events for each number of personas.",
)
@click.option("--posts", default=DEFAULT_SIZE.posts, show_default=True, type=click.IntRange(1))
@click.option(
    "--repeats", default=1, show_default=True, type=click.IntRange(1), help="Runs of each; the median counts."
)
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def curve(
    *,
    events: tuple[int, ...],
    personas: tuple[int, ...],
    persona_events: int,
    posts: int,
    repeats: int,
    as_json: bool,
) -> None:
    """Run the KPI job of the platform on growing numbers of events and of personas, and show what an event costs.

    CPU seconds are those of the worker's process while it counts; each size has a broker of its own.
    """
    default = WorkloadSize(posts=posts, end_ms=this_hour_ms())
    found = []
    with Console(stderr=True).status("") as status:
        for size in points(events, personas, persona_events, default):
            status.update(f"{size.events:,} events, {size.personas:,} personas")
            found.append(measured(size, repeats))
    if as_json:
        print_json({"posts": posts, "points": [_as_json(point) for point in found]})
    else:
        print_results(
            f"Cost of an event, {posts:,} posts, {os.cpu_count()} cores", COLUMNS, [_row(one) for one in found]
        )
        for point in found:
            if not point.standing.is_right:
                said = f"{point.size.events:,}: {point.standing.failure or point.standing.difference}"
                print_text(said)
    if not all(point.standing.is_right for point in found):
        sys.exit(1)


def _as_json(point: Point) -> dict[str, Any]:
    return {**point.standing.summary(), "events": point.size.events, "personas": point.size.personas}


def _row(point: Point) -> list[object]:
    found = point.standing.summary()
    figures = [found.get(name, "failed") for name in FIGURES]
    return [point.size.events, point.size.personas, *figures, "right" if point.standing.is_right else "WRONG"]
