"""The generate stage drains before its partitions go: what the model was asked is kept, and asked by nobody again."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import Callable

import pytest

from agents.generation.stage import GenerateStage
from schemas.catalogue import topic_named
from schemas.records import CostEvent, DraftGenerated
from streams.engine import loop as loop_module
from tests.support.drafting import REQUESTS, finished_effects, rows
from tests.support.generate_stage import costs_of, drafts_of, generating, some_requests, state_of
from tests.support.loop_in_memory import ROWS, StageWorker, Surroundings
from tests.support.openai.loopback import LoopbackOpenAI
from tests.support.stage_driver import DrivenStage

DEADLINE_S = 20.0
COUNT = 6


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while not condition():
            await asyncio.sleep(0.002)


def asked_again(server: LoopbackOpenAI) -> int:
    """Return how many calls were a repetition of another."""
    asked = Counter(json.dumps(body, sort_keys=True) for body in server.requests)
    return asked.total() - len(asked)


async def working(stage: DrivenStage[GenerateStage]) -> tuple[StageWorker, Surroundings]:
    """Return a worker that has taken the requests."""
    surroundings, topic = Surroundings(), topic_named(REQUESTS.topic)
    await stage.drop(REQUESTS)  # the worker takes it over by itself
    worker = StageWorker(surroundings, stage.stage)
    for each in some_requests(COUNT):
        surroundings.produce(ROWS.encode(topic, each), REQUESTS)
    await worker.join(1, REQUESTS)
    await worker.deliver(COUNT, REQUESTS)
    return worker, surroundings


def told(surroundings: Surroundings, kind: type[CostEvent | DraftGenerated]) -> set[str]:
    return {each.record.event_id for each in surroundings.outputs if isinstance(each.record, kind)}


async def test_the_next_owner_asks_nothing_again_that_was_under_way() -> None:
    first, second = LoopbackOpenAI(latency_s=0.2), LoopbackOpenAI()
    async with generating(first, llm_concurrency=2) as stage:
        await stage.add(rows(REQUESTS, some_requests(COUNT)))
        await until(lambda: first.in_flight == 2)
        assert await stage.drain(DEADLINE_S)
        assert (first.in_flight, len(first.requests)) == (0, 2)
        left = state_of(await stage.flush())
    async with generating(second, state=left) as heir:
        await heir.add(rows(REQUESTS, some_requests(COUNT)))
        effects = await finished_effects(heir)
    assert len(drafts_of(effects)) == COUNT
    assert len({cost.event_id for cost in costs_of(effects)}) == len(first.requests) + len(second.requests)
    assert sum(cost.prompt_tokens for cost in costs_of(effects)) == first.prompt_tokens + second.prompt_tokens


async def test_a_partition_that_stays_goes_on_behind_its_finished_calls() -> None:
    server = LoopbackOpenAI(latency_s=0.2)
    async with generating(server, llm_concurrency=2) as stage:
        worker, surroundings = await working(stage)
        for generation in (2, 3):
            await until(lambda: server.in_flight == 2)
            await worker.join(generation, REQUESTS)
        await worker.deliver(COUNT, REQUESTS)  # read again after the rebalance
        await until(lambda: worker.loop._partitions.is_done)
        await worker.checkpoint()
    assert (len(told(surroundings, DraftGenerated)), asked_again(server)) == (COUNT, 0)
    assert len(told(surroundings, CostEvent)) == len(server.requests)
    assert surroundings.committed[REQUESTS] == COUNT


async def test_a_partition_that_comes_back_after_another_generation_goes_on_too() -> None:
    server = LoopbackOpenAI(latency_s=0.2)
    async with generating(server, llm_concurrency=2) as stage:
        worker, surroundings = await working(stage)
        await until(lambda: server.in_flight == 2)
        await worker.join(2)
        await worker.join(3, REQUESTS)
        await worker.loop.tick()
        await worker.deliver(COUNT, REQUESTS)
        await until(lambda: worker.loop._partitions.is_done)
        await worker.checkpoint()
    assert (len(told(surroundings, DraftGenerated)), asked_again(server)) == (COUNT, 0)
    assert len(told(surroundings, CostEvent)) == len(server.requests)


async def test_calls_that_hang_are_left_at_the_end_of_the_grace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop_module, "DRAIN_WITHIN_S", 0.3)
    server = LoopbackOpenAI(faults=["slow"], slow_s=DEADLINE_S)
    async with generating(server, llm_concurrency=2) as stage:
        worker, surroundings = await working(stage)
        await until(lambda: server.in_flight == 1 and len(server.bills) == 2 * (COUNT - 1))  # hooks and bodies
        began = time.monotonic()
        await worker.loop.release()
        await worker.loop.release()
        took_s = time.monotonic() - began
        await worker.loop.stop()
    assert took_s < DEADLINE_S / 4
    assert len(told(surroundings, DraftGenerated)) == COUNT - 1


async def test_a_provider_that_asks_to_wait_holds_up_no_rebalance() -> None:
    server = LoopbackOpenAI(faults=["429"] * COUNT, retry_after=str(DEADLINE_S / 5))
    async with generating(server) as stage:
        await stage.add(rows(REQUESTS, some_requests(COUNT)))
        await until(lambda: len(server.injected) == COUNT and server.in_flight == 0)
        began = time.monotonic()
        await stage.drain(DEADLINE_S)
        assert time.monotonic() - began < DEADLINE_S / 10
        stage.resume()
        assert len(drafts_of(await finished_effects(stage))) == COUNT
