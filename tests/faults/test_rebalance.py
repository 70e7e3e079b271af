"""Workers that join, leave, die and hang while events come: the KPIs are those of a count made apart."""

from __future__ import annotations

import asyncio
import os
import random
import signal

import pytest

from tests.conftest import Stack
from tests.faults.conftest import SpawnWorker, WorkerProcess
from tests.support.faults.consumer_group import ConsumerGroup
from tests.support.faults.engagement_load import load, produced_during
from tests.support.faults.fault_report import BeginFault, FaultRun

SESSION_TIMEOUT = "6"  # the least that the broker takes
DEADLINE_S = 120.0
STATE_TAKEN_OVER = r"Restored TopicPartition\(topic='kpi.partials', partition=\d+\): [1-9]\d* changes read"


class Crew:
    """Workers of the kpis role in numbered slots; whatever they do is settled before they do the next."""

    def __init__(self, stack: Stack, spawn: SpawnWorker, run: FaultRun) -> None:
        self._spawn = spawn
        self._run = run
        self.group = ConsumerGroup(stack.cluster, "kpis")
        self.workers: dict[str, WorkerProcess] = {}
        self.present: set[str] = set()

    async def join(self, slot: str, *, with_state: bool = True) -> None:
        """Start a worker, and wait until it has taken over state of a partition from another."""
        self.workers[slot] = self._spawn("kpis", slot=slot, THREADS_SESSION_TIMEOUT_S=SESSION_TIMEOUT)
        self.present.add(slot)
        self._run.inflict("joined")
        await self.until_settled()
        if with_state:
            await self.workers[slot].until_said(STATE_TAKEN_OVER, DEADLINE_S)

    async def leave(self, slot: str, heir: str) -> None:
        """Stop a worker, and wait until another has taken over its state."""
        assert await asyncio.to_thread(self.workers[slot].stop) == 0
        self._run.inflict("left")
        await self._inherited(slot, heir)

    async def die(self, slot: str, heir: str) -> None:
        """Kill a worker, and wait until another has taken over its state."""
        self.workers[slot].kill()
        self._run.inflict("kill -9")
        await self._inherited(slot, heir)

    async def _inherited(self, slot: str, heir: str) -> None:
        before = self.workers[heir].said(STATE_TAKEN_OVER)
        self.present.discard(slot)
        await self.until_settled()
        async with asyncio.timeout(DEADLINE_S):
            while self.workers[heir].said(STATE_TAKEN_OVER) == before:
                await asyncio.sleep(0.1)

    async def until_settled(self) -> None:
        await self.group.until_members(len(self.present), self.logs, DEADLINE_S)

    def logs(self) -> str:
        return "\n".join(f"worker {slot}:\n{worker.log()[-2_000:]}" for slot, worker in self.workers.items())


@pytest.mark.timeout(600)
async def test_workers_that_join_leave_and_die_lose_nothing_and_count_nothing_twice(
    stack: Stack, spawn_worker: SpawnWorker, seed: int, begin_fault: BeginFault
) -> None:
    run = begin_fault("workers join and leave")
    load_ = load(seed, 100_000)
    crew = Crew(stack, spawn_worker, run)
    steps = 8

    async def come_and_go() -> None:
        await crew.join("0", with_state=False)
        await crew.join("1")
        await crew.join("2", with_state=False)  # stands by: two have two of four partitions each
        await crew.leave("1", heir="2")
        await crew.die("0", heir="2")
        await crew.join("1")
        await crew.leave("2", heir="1")
        await crew.join("0")

    await produced_during(stack, load_, come_and_go(), lambda: run.inflicted.total() / steps)
    assert await run.settle(stack, load_) == 0, crew.logs()


@pytest.mark.timeout(600)
async def test_a_worker_that_hung_longer_than_its_session_writes_over_nobodys_state(
    stack: Stack, spawn_worker: SpawnWorker, seed: int, begin_fault: BeginFault
) -> None:
    run = begin_fault("a worker hangs past its session")
    load_ = load(seed, 60_000)
    random_ = random.Random(seed)
    crew = Crew(stack, spawn_worker, run)

    async def hang_and_wake() -> None:
        await crew.join("0", with_state=False)
        hanging = crew.workers["0"].process.pid
        await crew.join("1", with_state=False)
        await asyncio.sleep(random_.random())  # a random moment of the checkpoint cycle, not a wait for anything
        os.kill(hanging, signal.SIGSTOP)
        run.inflict("stopped")
        crew.present.discard("0")
        try:
            await crew.until_settled()
        finally:
            os.kill(hanging, signal.SIGCONT)
        run.inflict("woken")
        crew.present.add("0")
        await crew.until_settled()
        for worker in crew.workers.values():
            worker.restart()  # what they know now comes from the changelog
            run.inflict("kill -9")

    await produced_during(stack, load_, hang_and_wake())
    assert await run.settle(stack, load_) == 0, crew.logs()
