"""Requests in the generate stage: what is asked and booked, what waits for what, and what a crash repeats."""

from __future__ import annotations

import asyncio

from tests.support.drafting import REQUESTS, finished_effects, request, rows
from tests.support.generate_stage import (
    CHEAP,
    STRONG,
    costs_of,
    drafts_of,
    generating,
    savings_of,
    some_requests,
    state_of,
)
from tests.support.openai.loopback import LoopbackOpenAI


async def test_a_request_becomes_drafts_whose_hook_stands_first_and_every_call_is_booked() -> None:
    server = LoopbackOpenAI()
    async with generating(server) as stage:
        assert await stage.add(rows(REQUESTS, [request(draft_count=2)])) == []
        effects = await finished_effects(stage)
    drafts, costs = drafts_of(effects), costs_of(effects)
    assert len({draft.draft_id for draft in drafts}) == 2
    for draft in drafts:
        assert draft.event_id == draft.draft_id
        assert draft.text.startswith(f"{draft.hook}\n\n{draft.body}")
        assert draft.model.startswith(CHEAP)
        assert draft.causation_id == draft.request_id == "request-1"
    assert [cost.step for cost in costs] == ["hook", "body"] * 2
    assert len({cost.event_id for cost in costs}) == len(server.requests) == 4
    assert sum(draft.cost_micros or 0 for draft in drafts) == sum(cost.cost_micros or 0 for cost in costs) > 0
    assert {body["model"] for body in server.requests} == {STRONG, CHEAP}


async def test_requests_of_one_persona_in_a_burst_share_their_calls_and_the_bill_adds_up() -> None:
    server = LoopbackOpenAI()
    async with generating(server, burst_size=4) as stage:
        await stage.add(rows(REQUESTS, some_requests(4)))
        effects = await finished_effects(stage)
    assert len(server.requests) == 2
    assert {draft.request_id for draft in drafts_of(effects)} == {"r0", "r1", "r2", "r3"}
    costs = costs_of(effects)
    assert len({cost.event_id for cost in costs}) == 8
    assert sum(cost.prompt_tokens for cost in costs) == server.prompt_tokens
    assert sum(cost.completion_tokens for cost in costs) == server.completion_tokens
    savings = savings_of(effects)
    assert {"burst", "tier"} <= {saving.measure for saving in savings}
    assert all((saving.saved_micros or 0) > 0 for saving in savings if saving.measure in ("burst", "tier"))


async def test_a_request_that_comes_again_gets_the_very_same_records_without_a_call() -> None:
    server = LoopbackOpenAI()
    async with generating(server) as stage:
        await stage.add(rows(REQUESTS, [request()]))
        first = await finished_effects(stage)
        await stage.add(rows(REQUESTS, [request()], first_offset=1))
        again = await stage.flush()
    assert len(server.requests) == 2
    assert again.outputs == first.outputs
    assert again.state == []
    untouched = LoopbackOpenAI(faults=["500"] * 9)
    async with generating(untouched, state=state_of(first)) as restarted:
        await restarted.add(rows(REQUESTS, [request()], first_offset=1))
        assert (await restarted.flush()).outputs == first.outputs
    assert untouched.requests == []


async def test_the_same_request_twice_is_written_once_and_both_offsets_wait_for_it() -> None:
    server = LoopbackOpenAI(latency_s=0.05)
    async with generating(server) as stage:
        await stage.add(rows(REQUESTS, [request(), request()]))
        await stage.add(rows(REQUESTS, [request()], first_offset=2))
        assert stage.unfinished(REQUESTS) == 0
        effects = await finished_effects(stage)
    assert len(server.requests) == 2
    assert len({draft.event_id for draft in drafts_of(effects)}) == 1


async def test_a_slow_request_holds_up_no_other_and_only_its_own_offset_waits() -> None:
    server = LoopbackOpenAI(faults=["slow"])
    async with generating(server, llm_timeout_s=60.0) as stage:
        await stage.add(rows(REQUESTS, some_requests(6)))
        found: set[str] = set()
        async with asyncio.timeout(20):
            while len(found) < 5:
                found |= {draft.request_id for draft in drafts_of(await stage.flush())}
                await asyncio.sleep(0.005)
        assert stage.unfinished(REQUESTS) is not None


async def test_a_worker_that_goes_on_after_a_crash_repeats_only_the_unfinished_step() -> None:
    server = LoopbackOpenAI(faults=[None, "slow"])
    async with generating(server, llm_timeout_s=60.0) as stage:
        await stage.add(rows(REQUESTS, [request()]))
        state: list[tuple[bytes, bytes]] = []
        async with asyncio.timeout(20):
            while not state or len(server.requests) < 2:
                state += state_of(await stage.flush())
                await asyncio.sleep(0.005)
    after = LoopbackOpenAI()
    async with generating(after, state=state) as stage:
        await stage.add(rows(REQUESTS, [request()]))
        effects = await finished_effects(stage)
    assert len(after.requests) == 1
    assert [cost.step for cost in costs_of(effects)] == ["hook", "body"]
    assert {key[:1] for key, _ in state_of(effects)} == {b"f"}


async def test_calls_run_at_once_up_to_the_bound() -> None:
    server = LoopbackOpenAI(latency_s=0.05)
    async with generating(server, llm_concurrency=3) as stage:
        await stage.add(rows(REQUESTS, some_requests(9)))
        await finished_effects(stage)
    assert server.most_in_flight == 3


async def test_bad_requests_are_refused_and_their_neighbours_are_written() -> None:
    records = [
        request("good-1"),
        request("blank", brief="   "),
        request("stranger", persona_id="nobody"),
        request("many", draft_count=1000),
        request("good-2", brief="coffee at four"),
    ]
    async with generating(LoopbackOpenAI()) as stage:
        refused = await stage.add(rows(REQUESTS, records, first_offset=100))
        effects = await finished_effects(stage)
    assert [each.offset for each in refused] == [101, 102, 103]
    assert "brief is blank" in str(refused[0].fault)
    assert "'nobody' is unknown; apply it with `threads-agent personas apply`" in str(refused[1].fault)
    assert {draft.request_id for draft in drafts_of(effects)} == {"good-1", "good-2"}


async def test_work_that_a_rebalance_interrupts_can_be_taken_up_again() -> None:
    server = LoopbackOpenAI(latency_s=30.0)
    async with generating(server) as stage:
        await stage.add(rows(REQUESTS, [request()]))
        async with asyncio.timeout(10):
            await server.called.wait()
        await stage.drop(REQUESTS)
        server.latency_s = 0.0
        await stage.restore(REQUESTS, [])
        await stage.add(rows(REQUESTS, [request()]))
        assert len(drafts_of(await finished_effects(stage))) == 1
