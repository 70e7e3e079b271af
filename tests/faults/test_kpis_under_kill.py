"""The KPIs of workers that are killed at random moments are those of a count made apart from the stream."""

from __future__ import annotations

import asyncio
import random

import pytest

from tests.conftest import Stack
from tests.faults.conftest import SpawnWorker, WorkerProcess
from tests.support.faults.engagement_load import load, produced_during
from tests.support.faults.fault_report import BeginFault, FaultRun

WORKERS = 2
KILLS_OF_EACH = 11
EVERY_NTH_WHILE_RESTORING = 3
RESTORED = r"Restored TopicPartition\(topic='engagement.events'"


async def kill_again_and_again(worker: WorkerProcess, random_: random.Random, run: FaultRun) -> None:
    """Kill a worker in the midst of its work, every third time while it takes back its partitions."""
    for number in range(KILLS_OF_EACH):
        if number % EVERY_NTH_WHILE_RESTORING == EVERY_NTH_WHILE_RESTORING - 1:
            await worker.until_said("Running kpis")
            await asyncio.sleep(random_.uniform(0.0, 0.3))  # a random moment of the recovery, not a wait for anything
        else:
            await worker.until_said(RESTORED)
            await asyncio.sleep(random_.uniform(0.0, 1.0))  # a random moment of the checkpoint cycle
        run.inflict("kill -9 at work" if worker.said(RESTORED) else "kill -9 in recovery")
        worker.restart()


@pytest.mark.timeout(600)
async def test_killed_workers_lose_nothing_and_count_nothing_twice(
    stack: Stack, spawn_worker: SpawnWorker, seed: int, begin_fault: BeginFault
) -> None:
    run = begin_fault("kill -9 of kpis workers")
    load_ = load(seed, 300_000)
    workers = [spawn_worker("kpis", slot=str(slot)) for slot in range(WORKERS)]
    kills = WORKERS * KILLS_OF_EACH
    killing = [
        kill_again_and_again(worker, random.Random(f"{seed}-{slot}"), run) for slot, worker in enumerate(workers)
    ]
    await produced_during(stack, load_, asyncio.gather(*killing), lambda: run.inflicted.total() / kills)
    assert run.inflicted.total() == kills
    assert run.inflicted["kill -9 at work"] > kills / 2
    assert await run.settle(stack, load_) == 0, "\n".join(worker.log()[-3_000:] for worker in workers)
