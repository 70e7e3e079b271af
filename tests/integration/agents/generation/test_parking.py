"""Requests over budget: parked without an offset that waits, gone on with at midnight, told once or again."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from agents.costs.budget import BudgetLimits
from schemas.records import DeadLetter
from tests.support.drafting import (
    NOW,
    REQUESTS,
    SettableClock,
    budgets,
    finished_effects,
    outputs_to,
    request,
    rows,
    spent_today,
)
from tests.support.generate_stage import CHEAP, drafts_of, effects_with_drafts, generating, some_requests, state_of
from tests.support.openai.loopback import LoopbackOpenAI


async def test_requests_over_budget_are_parked_through_a_restart_and_go_on_at_midnight() -> None:
    limits, over = BudgetLimits(None, 1_000_000), [spent_today(960_000)]
    server, clock = LoopbackOpenAI(), SettableClock(NOW)
    async with generating(server, budgets=budgets(limits, over, clock), clock=clock) as stage:
        assert await stage.add(rows(REQUESTS, some_requests(3))) == []
        assert stage.unfinished(REQUESTS) is None
        parked = await stage.flush()
    assert parked.outputs == []
    assert server.requests == []
    async with generating(server, state=state_of(parked), budgets=budgets(limits, over, clock), clock=clock) as stage:
        assert not stage.idle_flush_due()
        clock.now = NOW.replace(hour=0, minute=0) + timedelta(days=1)
        assert stage.idle_flush_due()
        await stage.flush()
        effects = await effects_with_drafts(stage, 3)
    assert {draft.request_id for draft in drafts_of(effects)} == {"r0", "r1", "r2"}
    assert {key[:1] for key, value in state_of(effects)} == {b"f"}


async def test_a_crash_before_a_parked_request_is_told_tells_it_again_and_one_that_fails_is_dead_lettered() -> None:
    server, clock = LoopbackOpenAI(faults=[None, "400"]), SettableClock(NOW)
    spent_budgets = budgets(BudgetLimits(None, 1_000_000), [spent_today(960_000)], clock)
    async with generating(server, budgets=spent_budgets, clock=clock, llm_concurrency=1) as stage:
        await stage.add(rows(REQUESTS, some_requests(2)))
        state = {change.key: change.value for change in (await stage.flush()).state}
        clock.now = NOW.replace(hour=0, minute=0) + timedelta(days=1)
        state |= {change.key: change.value for change in (await stage.flush()).state}  # they go on
        async with asyncio.timeout(20):
            while any(each.value for each in stage.readings() if each.metric.name == "generation_under_way"):
                await asyncio.sleep(0.005)
        state |= {
            change.key: change.value for change in (await stage.flush()).state
        }  # its outputs are lost in the crash
    kept = [(key, value) for key, value in state.items() if value is not None]
    async with generating(LoopbackOpenAI(), state=kept, budgets=spent_budgets, clock=clock) as stage:
        effects = await stage.flush()
        assert [draft.request_id for draft in drafts_of(effects)] == ["r0"]
        (letter,) = outputs_to(effects, "dead.letters")
        assert isinstance(letter, DeadLetter)
        assert (letter.source_offset, letter.value) == (1, None)
        assert "status 400" in letter.reason
        let_go = [change.key for change in (await stage.flush()).state if change.value is None]
        assert sorted(let_go) == [b"pr0", b"pr1"]
        assert not stage.idle_flush_due()


async def test_near_the_limit_of_a_persona_the_cheap_model_writes_alone() -> None:
    server = LoopbackOpenAI()
    async with generating(server, budgets=budgets(BudgetLimits(), [spent_today(87_000)])) as stage:
        await stage.add(rows(REQUESTS, [request()]))
        assert len(drafts_of(await finished_effects(stage))) == 1
    assert {body["model"] for body in server.requests} == {CHEAP}
