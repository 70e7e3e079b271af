"""The sums of spend are those of a count made apart from the stream, though workers are killed at random moments."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from agents.spend.spend_book import HOURS
from agents.spend.spend_topics import alerts_since
from schemas.catalogue import topic_named
from schemas.records import SpendTotal
from schemas.registries.registry import open_registry
from streams.kafka.producer import EventProducer
from streams.kafka.topic_tail import WHOLE, TopicTail
from tests.conftest import Stack
from tests.faults.conftest import SpawnWorker, WorkerProcess
from tests.support.cost_load import CostLoad, cost_load
from tests.support.faults.fault_report import BeginFault, FaultRun

WORKERS = 2
KILLS_OF_EACH = 4
CHUNK = 250
PACE_S = 0.25
RESTORED = r"Restored TopicPartition\(topic='cost.events'"
DEADLINE_S = 120.0
POLL_S = 0.3

Sums = Counter[tuple[str, datetime]]


class ToldSpend:
    """The sums last told of some personas, over all partitions."""

    def __init__(self, stack: Stack, load: CostLoad) -> None:
        self._tail = TopicTail(stack.cluster, open_registry(None), {topic_named("spend.totals"): WHOLE}, SpendTotal)
        self._personas = set(load.personas)
        self._newest: dict[str, SpendTotal] = {}

    async def read(self) -> tuple[Sums, int]:
        """Return micro-dollars by persona and hour, and the calls of unknown price."""
        self._newest |= {each.total_id: each for each in await self._tail.news() if each.persona_id in self._personas}
        sums: Sums = Counter()
        for total in self._newest.values():
            for hour in range(HOURS):
                sums[total.persona_id, total.day + timedelta(hours=hour)] += total.hour_micros[hour]
        return +sums, sum(total.unpriced_calls for total in self._newest.values())

    async def settled_difference(self, load: CostLoad) -> int:
        """Wait until the truth is told, or a deadline; return by how many micro-dollars and calls it is missed."""
        deadline = time.monotonic() + DEADLINE_S
        while True:
            told, unpriced = await self.read()
            wrong = abs(unpriced - load.unpriced_calls.total())
            wrong += sum(abs(told[key] - load.hour_micros[key]) for key in told.keys() | load.hour_micros.keys())
            if not wrong or time.monotonic() > deadline:
                await self._tail.close()
                return wrong
            await asyncio.sleep(POLL_S)


async def kill_again_and_again(worker: WorkerProcess, random_: random.Random, run: FaultRun) -> None:
    for _ in range(KILLS_OF_EACH):
        await worker.until_said(RESTORED)
        await asyncio.sleep(random_.uniform(0.0, 0.6))  # a random moment of the checkpoint cycle
        run.inflict("kill -9 at work")
        worker.restart()


async def produced_while(stack: Stack, load: CostLoad, work: asyncio.Future[list[None]]) -> None:
    producer = EventProducer(stack.cluster, open_registry(None))
    outputs = load.outputs()
    try:
        for start in range(0, len(outputs), CHUNK):
            await producer.append_all(outputs[start : start + CHUNK])
            if not work.done():
                await asyncio.sleep(PACE_S)  # the load is to last while workers are killed
        await work
    finally:
        await producer.stop()


@pytest.mark.timeout(400)
async def test_killed_spend_workers_lose_no_micro_dollar_and_count_none_twice(
    stack: Stack, spawn_worker: SpawnWorker, seed: int, begin_fault: BeginFault
) -> None:
    run = begin_fault("kill -9 of spend workers")
    load = cost_load(seed, 20_000)
    began = datetime.now(UTC)
    workers = [spawn_worker("spend", slot=str(slot), THREADS_DAILY_BUDGET_DOLLARS="1000") for slot in range(WORKERS)]
    killing = [kill_again_and_again(each, random.Random(f"{seed}-{slot}"), run) for slot, each in enumerate(workers)]
    await produced_while(stack, load, asyncio.gather(*killing))
    assert run.inflicted.total() == WORKERS * KILLS_OF_EACH
    settling, told = time.monotonic(), ToldSpend(stack, load)
    run.events += len(load.events)
    wrong = run.found(await told.settled_difference(load), time.monotonic() - settling)
    assert wrong == 0, "\n".join(worker.log()[-3_000:] for worker in workers)
    await every_level_is_told(stack, began)


async def every_level_is_told(stack: Stack, since: datetime) -> None:
    """Wait until the alerts of all personas' day are there: what is spent is far above the limit."""
    deadline = time.monotonic() + DEADLINE_S
    wanted = {"warn", "downgrade", "pause"}
    while time.monotonic() < deadline:
        alerts = await alerts_since(stack.cluster, open_registry(None), since)
        if wanted <= {each.kind for each in alerts if each.persona_id == "*" and each.period == "day"}:
            return
        await asyncio.sleep(POLL_S)
    pytest.fail("the levels of the day's budget were not told")
