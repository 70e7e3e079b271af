"""Requests for tomorrow: they go through the Batch API at half the price."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace

from tests.support.drafting import NOW, REQUESTS, SettableClock, rows
from tests.support.generate_stage import (
    costs_of,
    drafts_of,
    effects_with_drafts,
    generating,
    savings_of,
    some_requests,
    state_of,
)
from tests.support.openai.loopback import LoopbackOpenAI
from tests.support.stage_driver import Emitted


async def test_requests_for_tomorrow_go_through_one_batch_at_its_price_and_a_crash_submits_it_once() -> None:
    server, clock = LoopbackOpenAI(), SettableClock(NOW)
    wanted = [replace(each, deadline="tomorrow") for each in some_requests(2)]
    async with generating(server, clock=clock) as stage:
        assert await stage.add(rows(REQUESTS, wanted)) == []
        assert stage.unfinished(REQUESTS) is None
        state = dict(state_of(await stage.flush()))
        async with asyncio.timeout(20):
            while len(server.batches.batches) < 1:
                state.update(state_of(await stage.flush()))  # what follows is lost in the crash
                await asyncio.sleep(0.01)
    async with generating(server, state=list(state.items()), clock=clock) as stage:
        effects = await effects_with_drafts(stage, 2)
    assert len(server.batches.batches) == 1
    assert server.requests == []
    assert {draft.request_id for draft in drafts_of(effects)} == {"r0", "r1"}
    costs = costs_of(effects)
    assert [cost.step for cost in costs] == ["hook", "body"] * 2
    savings = savings_of(effects)
    booked = sum(cost.cost_micros or 0 for cost in costs)
    spared = sum(saving.saved_micros or 0 for saving in savings if saving.measure == "batch")
    assert abs(booked - spared) <= len(costs)  # half the price, each share rounded
    assert {key[:1] for key, _ in state_of(effects)} == {b"f"}


async def drafted_by_batch(server: LoopbackOpenAI, count: int = 2) -> Emitted:
    wanted = [replace(each, deadline="tomorrow") for each in some_requests(count)]
    async with generating(server, batch_poll_s=0.01) as stage:
        await stage.add(rows(REQUESTS, wanted))
        return await effects_with_drafts(stage, count)


async def test_a_provider_without_batches_is_asked_one_by_one() -> None:
    server = LoopbackOpenAI(without_batches=True)
    effects = await drafted_by_batch(server)
    assert {draft.request_id for draft in drafts_of(effects)} == {"r0", "r1"}
    assert len(server.requests) == len(costs_of(effects)) == 4


async def test_a_batch_whose_answers_nobody_can_read_is_given_up_and_booked_as_unknown() -> None:
    server = LoopbackOpenAI()
    server.batches.spoil = lambda _: b'{"custom_id'
    effects = await drafted_by_batch(server)
    costs = costs_of(effects)
    assert [cost.step for cost in costs if cost.cost_micros is None] == ["hook", "body"] * 2
    assert len(server.batches.batches) == 1
    assert len(server.requests) == len(costs) - 4 == 4


async def test_a_line_of_a_batch_that_nobody_can_read_costs_its_request_one_attempt_alone() -> None:
    def without_choices(file: bytes) -> bytes:
        first, *rest = [json.loads(line) for line in file.splitlines()]
        first["response"]["body"]["choices"] = []
        return "\n".join(map(json.dumps, (first, *rest))).encode()

    server = LoopbackOpenAI()
    server.batches.spoil = without_choices
    effects = await drafted_by_batch(server)
    assert len(drafts_of(effects)) == 2
    costs = costs_of(effects)
    assert all(cost.cost_micros is not None for cost in costs)
    assert len(server.requests) == 2
    assert sum(cost.prompt_tokens for cost in costs) == server.prompt_tokens
