"""The command `threads-agent bench insights`: how many posts a minute one worker asks for."""

from __future__ import annotations

import asyncio
import sys
import time
from dataclasses import asdict

import click
from rich.console import Console

from streams.endpoints import read_endpoints
from streams.errors import ThreadsError
from streams.kafka.topics import create_topics
from tests.benchmarks.insights.measure import ONE_ROUND, QUICK_AUDIENCE, Polled, polled, published
from tests.benchmarks.printing import print_json, print_results
from tests.benchmarks.running.group_progress import GroupProgress
from tests.benchmarks.running.own_broker import Broker, broker
from tests.benchmarks.running.worker_process import Usage, WorkerProcess, workers

START_TIMEOUT_S = 60.0
COLUMNS = ("posts", "accounts", "seconds", "posts/s", "posts a minute", "calls", "events", "CPU s", "differences")


@click.command("insights", epilog="Example: threads-agent bench insights --posts 10000")
@click.option("--posts", default=10_000, show_default=True, type=click.IntRange(1), help="Posts that are asked for.")
@click.option("--concurrency", default=32, show_default=True, type=click.IntRange(1, 1_024), help="Polls under way.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def insights(*, posts: int, concurrency: int, as_json: bool) -> None:
    """Measure how long one worker takes to ask the simulator for posts that are all due, and to tell their numbers.

    A broker, a simulator and a worker of their own are started for it, and the posts are published at first. At the end
    the events must add up to the simulator's totals.
    """
    with broker(posts * 10) as running, Console(stderr=True).status("starting") as status:
        asyncio.run(create_topics(running.cluster()))
        with workers(running, 1, QUICK_AUDIENCE, role="simulator") as (simulator,):
            _until_ready(running, simulator)
            states = asyncio.run(published(running, posts, status.update))
            status.update("starting a worker")
            settings = ONE_ROUND | {"THREADS_INSIGHTS_CONCURRENCY": str(concurrency)}
            with workers(running, 1, settings, role="insights") as (worker,):
                asyncio.run(_until_member(running, worker))
                status.update(f"{posts:,} posts are due")
                found = asyncio.run(polled(running, states, worker.check))
                usage, of_simulator = worker.usage(), simulator.usage()
    _show(found, usage, of_simulator, as_json=as_json)
    if found.differences:
        sys.exit(1)


def _until_ready(running: Broker, simulator: WorkerProcess) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while read_endpoints(running.home).simulator is None:
        simulator.check()
        if time.monotonic() > deadline:
            raise ThreadsError(f"the simulator does not listen within {START_TIMEOUT_S:g} s")
        time.sleep(0.1)


async def _until_member(running: Broker, worker: WorkerProcess) -> None:
    async with GroupProgress(running.cluster(), "insights") as group:
        await group.until_members(1, START_TIMEOUT_S, worker.check)


def _show(found: Polled, usage: Usage, of_simulator: Usage, *, as_json: bool) -> None:
    if as_json:
        rates = {"posts_per_second": round(found.posts_per_second, 1)}
        used = {"worker": asdict(usage), "simulator": asdict(of_simulator)}
        print_json({**asdict(found), **rates, **used})
        return
    rate = found.posts_per_second
    row = [found.posts, found.accounts, found.seconds, rate, round(rate * 60), found.calls, found.events]
    print_results("One insights worker", COLUMNS, [[*row, usage.cpu_seconds, found.differences]])
