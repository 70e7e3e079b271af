"""Workers that join, leave, die and hang while events come: the KPIs are those of a count made apart."""

from __future__ import annotations

import asyncio
import os
import random
import signal
from collections.abc import Awaitable, Callable

import pytest

from tests.conftest import Stack
from tests.faults.conftest import SpawnWorker, WorkerProcess
from tests.faults.consumer_group import ConsumerGroup
from tests.faults.engagement_load import Load, load, produced, settled

SESSION_TIMEOUT = "6"  # the least that the broker takes
PACE_S = 0.1  # between batches: the load lasts while workers come and go
PACED_BATCH = 250


class Crew:
    """Workers of the kpis role in numbered slots."""

    def __init__(self, stack: Stack, spawn: SpawnWorker) -> None:
        self._spawn = spawn
        self.group = ConsumerGroup(stack.settings, stack.bootstrap, "kpis")
        self.workers: dict[str, WorkerProcess] = {}

    def join(self, slot: str) -> WorkerProcess:
        self.workers[slot] = self._spawn("kpis", slot=slot, THREADS_SESSION_TIMEOUT_S=SESSION_TIMEOUT)
        return self.workers[slot]

    async def until(self, members: int) -> None:
        await self.group.until_members(members, self.logs)

    def logs(self) -> str:
        return "\n".join(f"worker {slot}:\n{worker.log()[-2_000:]}" for slot, worker in self.workers.items())


async def run_under_load(stack: Stack, load_: Load, steps: Callable[[], Awaitable[None]]) -> None:
    """Produce at a pace until the steps are done, the rest at once."""
    running = asyncio.ensure_future(steps())
    async for _ in produced(stack, load_, PACED_BATCH):
        if not running.done():
            await asyncio.sleep(PACE_S)
    await running


@pytest.mark.timeout(180)
async def test_workers_that_join_leave_and_die_lose_nothing_and_count_nothing_twice(
    stack: Stack, spawn_worker: SpawnWorker, seed: int
) -> None:
    load_ = load(seed, 60_000)
    crew = Crew(stack, spawn_worker)

    async def come_and_go() -> None:
        for number, slot in enumerate(("0", "1", "2"), start=1):
            crew.join(slot)
            await crew.until(members=number)
        assert crew.workers["1"].stop() == 0
        await crew.until(members=2)
        crew.workers["0"].kill()
        await crew.until(members=1)
        crew.join("0")
        await crew.until(members=2)

    await run_under_load(stack, load_, come_and_go)
    got = await settled(stack, load_.truth)
    assert got == {persona: +of for persona, of in load_.truth.items()}, crew.logs()


@pytest.mark.timeout(180)
async def test_a_worker_that_hung_longer_than_its_session_writes_over_nobodys_state(
    stack: Stack, spawn_worker: SpawnWorker, seed: int
) -> None:
    load_ = load(seed, 60_000)
    random_ = random.Random(seed)
    crew = Crew(stack, spawn_worker)

    async def hang_and_wake() -> None:
        hanging = crew.join("0").process.pid
        crew.join("1")
        await crew.until(members=2)
        await asyncio.sleep(random_.random())  # a random moment of the checkpoint cycle, not a wait for anything
        os.kill(hanging, signal.SIGSTOP)
        try:
            await crew.until(members=1)
        finally:
            os.kill(hanging, signal.SIGCONT)
        await crew.until(members=2)
        for worker in crew.workers.values():
            worker.restart()  # what they know now comes from the changelog

    await run_under_load(stack, load_, hang_and_wake)
    got = await settled(stack, load_.truth)
    assert got == {persona: +of for persona, of in load_.truth.items()}, crew.logs()
