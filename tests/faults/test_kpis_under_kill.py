"""The KPIs of a worker that is killed at random moments are those of a count made apart from the stream."""

from __future__ import annotations

import asyncio
import random

import pytest

from tests.conftest import Stack
from tests.faults.conftest import SpawnWorker
from tests.faults.engagement_load import load, produced, settled


@pytest.mark.timeout(240)
async def test_killed_workers_lose_nothing_and_count_nothing_twice(
    stack: Stack, spawn_worker: SpawnWorker, seed: int
) -> None:
    load_ = load(seed, 60_000)
    random_ = random.Random(seed + 1)
    moments = sorted(random_.sample(range(len(load_.events)), 6))
    worker = spawn_worker("kpis", slot="0")
    async for sent in produced(stack, load_):
        while moments and moments[0] < sent:
            moments.pop(0)
            await asyncio.sleep(random_.random())  # a random moment of the checkpoint cycle, not a wait for anything
            worker.restart()
    got = await settled(stack, load_.truth)
    assert got == {persona: +of for persona, of in load_.truth.items()}, worker.log()[-3_000:]
