"""Workers of one group sharing one topic: the same answer from however many, and what each takes."""

from __future__ import annotations

import asyncio
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from streams.errors import ThreadsError
from streams.kafka.topics import create_topics
from tests.benchmarks.answers import read_answer
from tests.benchmarks.job import TOPIC
from tests.benchmarks.running.group_progress import GroupProgress
from tests.benchmarks.running.loading import load
from tests.benchmarks.running.own_broker import Broker, broker
from tests.benchmarks.running.process_usage import cpu_seconds
from tests.benchmarks.running.told_updates import Told, difference_of, expected_lifetimes, newest_updates
from tests.benchmarks.running.worker_process import ROLE, SOURCES, Usage, WorkerProcess, counting_timeout_s, workers
from tests.benchmarks.running.workload import WorkloadSize

START_TIMEOUT_S = 120.0


@dataclass(frozen=True, slots=True)
class Scaled:
    """What a number of workers did.

    `events_per_second` is the rate from the moment when all of them share the partitions: what the first ones counted
    while others were starting is not in it. `seconds` are from the start of the first process to the last commit.
    CPU seconds of workers include their start, those of the broker are of the same time.
    """

    workers: int
    events_per_second: int
    seconds: float
    broker_cpu_seconds: float
    of_workers: tuple[Usage, ...]
    difference: str | None


def scaled(size: WorkloadSize, count: int) -> Scaled:
    """Load the events into a broker of its own and count them by so many workers.

    Raises:
        ThreadsError: a worker ended, or they did not get to the end in time.
    """
    with broker(size.events) as running:
        folder = load(running, Path(sys.executable), size, TOPIC)
        asyncio.run(create_topics(running.cluster()))
        expected = expected_lifetimes(read_answer(folder), size)
        with workers(running, count) as started:
            return asyncio.run(_measured(running, size, started, expected))


async def _measured(running: Broker, size: WorkloadSize, started: list[WorkerProcess], expected: Told) -> Scaled:
    broker_cpu = cpu_seconds(running.pid)

    def check() -> None:
        for worker in started:
            worker.check()

    async with GroupProgress(running.cluster(), ROLE) as group:
        await group.until_members(len(started), START_TIMEOUT_S, check)
        all_there, before = time.time(), await _events_committed(group)
        if before == size.events:
            raise ThreadsError(f"all {size.events:,} events were counted before {len(started)} workers ran: take more")
        await group.until_done(SOURCES, counting_timeout_s(size.events), check)
        done = time.time()
    usages = tuple(worker.usage() for worker in started)
    broker_cpu = cpu_seconds(running.pid) - broker_cpu
    told = await newest_updates(running.cluster())
    return Scaled(
        workers=len(started),
        events_per_second=round((size.events - before) / (done - all_there)),
        seconds=round(done - started[0].started_at, 1),
        broker_cpu_seconds=round(broker_cpu, 1),
        of_workers=usages,
        difference=difference_of(told, expected),
    )


async def _events_committed(group: GroupProgress) -> int:
    return sum(offset for source, offset in (await group.committed()).items() if source.topic == TOPIC)
