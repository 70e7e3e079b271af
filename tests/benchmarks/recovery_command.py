"""The command `threads-agent bench recovery`: from kill -9 to caught up, with much state."""

from __future__ import annotations

import asyncio
import sys
import time
from dataclasses import asdict
from typing import Any

import click
from rich.console import Console

from streams.cli.table import print_text
from streams.kafka.topics import create_topics
from tests.benchmarks.printing import print_json, print_results
from tests.benchmarks.recovery import Recoveries, Recovery, RecoveryBench
from tests.benchmarks.running.own_broker import broker
from tests.benchmarks.running.state_load import StateLoad, last_hour_ms
from tests.benchmarks.running.worker_process import workers

MIB = 2.0**20
COLUMNS = (
    "local store",
    "seconds",
    "down s",
    "running after s",
    "restored after s",
    "changes read",
    "CPU s",
    "peak MB",
    "answer",
)


@click.command("recovery", epilog="Example: threads-agent bench recovery --keys 1000000")
@click.option("--keys", default=1_000_000, show_default=True, type=click.IntRange(1_000), help="State keys, at least.")
@click.option(
    "--new-events", default=1_000, show_default=True, type=click.IntRange(1), help="Events appended while it is down."
)
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def recovery(*, keys: int, new_events: int, as_json: bool) -> None:
    """Kill a worker that has so many state keys, start it again, and measure until it has caught up.

    Once with its local store kept and once with it deleted, so that all state comes from the changelog. Caught up is
    when all events, those appended while it was down too, are counted, told in kpi.updates and committed; the counts
    of every persona in four windows and its viral posts must be the right ones.
    """
    load = StateLoad.of(keys, last_hour_ms(int(time.time() * 1000)))
    with broker(2 * keys) as running, Console(stderr=True).status("starting a worker") as status:
        asyncio.run(create_topics(running.cluster()))
        with workers(running, 1) as (worker,):
            found = asyncio.run(RecoveryBench(running, worker, load, new_events).run(status.update))
    if as_json:
        print_json(_as_json(found, load))
    else:
        _print(found, load)
    if any(one.difference for one in found.recoveries):
        sys.exit(1)


def _as_json(found: Recoveries, load: StateLoad) -> dict[str, Any]:
    recoveries = [{**asdict(one), "correct": one.difference is None} for one in found.recoveries]
    state = {**asdict(found.state), "posts": load.posts, "minute_panes": load.panes}
    return {"state": state, "build_s": found.build_s, "recoveries": recoveries}


def _print(found: Recoveries, load: StateLoad) -> None:
    state = found.state
    title = (
        f"{state.keys:,} state keys: {load.posts:,} posts, {load.panes:,} minute panes; "
        f"changelog of {state.records:,} records, {state.log_bytes / MIB:,.0f} MB on disk"
    )
    print_results(title, COLUMNS, [_row(one) for one in found.recoveries])
    for one in found.recoveries:
        if one.difference:
            print_text(f"{one.local_store}: {one.difference}")


def _row(one: Recovery) -> list[object]:
    log = one.of_restart
    return [
        one.local_store,
        one.seconds,
        one.down_s,
        _or_dash(log.running_s),
        _or_dash(log.restored_s),
        log.changes,
        round(one.usage.cpu_seconds, 1),
        round(one.usage.peak_rss_mb),
        "WRONG" if one.difference else "right",
    ]


def _or_dash(seconds: float | None) -> object:
    return "-" if seconds is None else seconds
