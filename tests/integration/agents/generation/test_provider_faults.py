"""The generate stage against a provider that fails: nothing is lost, and every token is booked once."""

from __future__ import annotations

import asyncio

import pytest

from streams.errors import SettingsError
from tests.support.drafting import REQUESTS, finished_effects, request, rows
from tests.support.generate_stage import costs_of, drafts_of, faults_of, generating, some_requests
from tests.support.openai.loopback import Fault, LoopbackOpenAI


@pytest.mark.parametrize("fault", ["429", "500", "malformed", "slow"])
async def test_a_provider_that_fails_loses_no_request_and_books_every_token_once(fault: Fault) -> None:
    faults: list[Fault | None] = [fault if place % 5 == 2 else None for place in range(20)]
    server = LoopbackOpenAI(faults=faults)
    async with generating(server, llm_timeout_s=0.5, llm_concurrency=4) as stage:
        await stage.add(rows(REQUESTS, some_requests(8)))
        effects = await finished_effects(stage)
    assert {draft.request_id for draft in drafts_of(effects)} == {f"r{number}" for number in range(8)}
    costs = costs_of(effects)
    assert len(costs) == len({cost.event_id for cost in costs}) == 16
    assert sum(cost.prompt_tokens for cost in costs) == server.prompt_tokens
    assert len(server.requests) == 20


@pytest.mark.parametrize("fault", ["empty", "garbage", "refusal"])
async def test_nonsense_is_asked_for_again_twice_then_set_aside_and_still_paid_for(fault: Fault) -> None:
    server = LoopbackOpenAI(faults=[fault] * 3)
    async with generating(server) as stage:
        await stage.add(rows(REQUESTS, [request()], first_offset=7))
        effects = await finished_effects(stage)
    assert len(server.requests) == 3
    assert len({body["seed"] for body in server.requests}) == 3
    assert "hook: no usable answer in 3 attempts" in faults_of(effects)[7]
    assert drafts_of(effects) == []
    assert len(costs_of(effects)) == 3


async def test_one_empty_answer_costs_one_more_call_and_no_request() -> None:
    server = LoopbackOpenAI(faults=[None, "empty"])
    async with generating(server) as stage:
        await stage.add(rows(REQUESTS, [request()]))
        effects = await finished_effects(stage)
    assert len(costs_of(effects)) == 3
    assert len(drafts_of(effects)) == 1


async def test_a_refused_prompt_is_a_fault_of_the_request_alone() -> None:
    async with generating(LoopbackOpenAI(faults=["400"]), llm_concurrency=1) as stage:
        await stage.add(rows(REQUESTS, some_requests(2)))
        effects = await finished_effects(stage)
    assert "refused the prompt with status 400 (context_length_exceeded)" in faults_of(effects)[0]
    assert [draft.request_id for draft in drafts_of(effects)] == ["r1"]


async def test_a_wrong_key_ends_the_worker_with_what_to_check() -> None:
    async with generating(LoopbackOpenAI(faults=["401"])) as stage:
        await stage.add(rows(REQUESTS, [request()]))
        async with asyncio.timeout(10):
            while not stage.idle_flush_due():
                await asyncio.sleep(0.005)
        with pytest.raises(SettingsError, match="check OPENAI_API_KEY"):
            await stage.flush()
