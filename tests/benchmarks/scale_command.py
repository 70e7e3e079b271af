"""The command `threads-agent bench scale`: one, two and four workers of a group."""

from __future__ import annotations

import os
import sys
from dataclasses import asdict
from typing import Any

import click
from rich.console import Console

from streams.cli.table import print_text
from tests.benchmarks.kpis_command import this_hour_ms
from tests.benchmarks.number_list import whole_numbers
from tests.benchmarks.printing import print_json, print_results
from tests.benchmarks.running.workload import WorkloadSize
from tests.benchmarks.scale import Scaled, scaled

DEFAULT_SIZE = WorkloadSize()
COLUMNS = ("workers", "events/s", "seconds in all", "CPU s of each", "peak MB of each", "CPU s of the broker", "answer")


@click.command("scale", epilog="Example: threads-agent bench scale --workers 1,2,4 --events 2000000")
@click.option(
    "--workers",
    "counts",
    default="1,2,4",
    show_default=True,
    callback=whole_numbers,
    help="Numbers of worker processes, with commas between.",
)
@click.option("--events", default=DEFAULT_SIZE.events, show_default=True, type=click.IntRange(1_000))
@click.option("--personas", default=DEFAULT_SIZE.personas, show_default=True, type=click.IntRange(1))
@click.option("--posts", default=DEFAULT_SIZE.posts, show_default=True, type=click.IntRange(1))
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def scale(*, counts: tuple[int, ...], events: int, personas: int, posts: int, as_json: bool) -> None:
    """Count the same events by several worker processes of one group, and check what they told.

    Each number of workers has a broker of its own, with the same events in four partitions; more workers than cores
    share the cores. The lifetime counts and viral posts of every persona in kpi.updates must be the right ones.
    """
    size = WorkloadSize(events=events, personas=personas, posts=posts, end_ms=this_hour_ms())
    found = []
    with Console(stderr=True).status("") as status:
        for count in counts:
            status.update(f"{events:,} events, {count} workers")
            found.append(scaled(size, count))
    if as_json:
        print_json({"events": events, "personas": personas, "posts": posts, "runs": [_as_json(one) for one in found]})
    else:
        title = f"{events:,} events, {personas} personas, {posts:,} posts, {os.cpu_count()} cores"
        print_results(title, COLUMNS, [_row(one) for one in found])
        for one in found:
            if one.difference:
                print_text(f"{one.workers} workers: {one.difference}")
    if any(one.difference for one in found):
        sys.exit(1)


def _as_json(run: Scaled) -> dict[str, Any]:
    return {**asdict(run), "correct": run.difference is None}


def _row(run: Scaled) -> list[object]:
    return [
        run.workers,
        run.events_per_second,
        run.seconds,
        ", ".join(f"{one.cpu_seconds:.1f}" for one in run.of_workers),
        ", ".join(f"{one.peak_rss_mb:.0f}" for one in run.of_workers),
        run.broker_cpu_seconds,
        "WRONG" if run.difference else "right",
    ]
