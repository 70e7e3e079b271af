"""The three stages of the generation role against the loopback API: what is asked, booked, repeated and refused."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta

import pytest

from agents.costs.budget import Limits
from agents.costs.price_file import read_prices
from agents.deduplication.blended_embedder import BlendedEmbedder
from agents.deduplication.limits import FITTED
from agents.deduplication.stage import DeduplicateStage
from agents.generation.stage import GenerateStage
from agents.scoring.stage import ScoreStage
from agents.spend.gate import BudgetGate
from schemas.records import (
    CostEvent,
    CostSaving,
    DeadLetter,
    DraftDecided,
    DraftGenerated,
    DraftScored,
    PersonaRequest,
    SpendTotal,
)
from streams.engine.batch import TopicPartition
from streams.engine.stage import Effects
from streams.errors import SettingsError
from streams.settings import Settings
from tests.drafting import (
    NOW,
    REQUESTS,
    ListedPast,
    SettableClock,
    budgets,
    finished_effects,
    free_budgets,
    outputs_to,
    request,
    rows,
    sample_directory,
)
from tests.openai_loopback import Fault, LoopbackOpenAI, loopback_openai
from tests.single_outputs import single

State = Sequence[tuple[bytes, bytes]]
STRONG, CHEAP = "gpt-6.1-terra", "gpt-6-luna"


@asynccontextmanager
async def generating(
    server: LoopbackOpenAI,
    *,
    state: State = (),
    timeout_s: float = 10.0,
    concurrency: int = 8,
    burst_size: int = 1,
    gate: BudgetGate | None = None,
    clock: SettableClock | None = None,
) -> AsyncIterator[GenerateStage]:
    async with loopback_openai(server) as running:
        settings = Settings(
            OPENAI_BASE_URL=running.base_url,
            OPENAI_API_KEY="sk-test",
            llm_timeout_s=timeout_s,
            llm_concurrency=concurrency,
            burst_size=burst_size,
            batch_size=2,
            batch_poll_s=0.05,
        )
        stage = GenerateStage(
            settings,
            sample_directory(),
            read_prices(),
            ListedPast(),
            gate or free_budgets(),
            clock=clock or SettableClock(NOW),
        )
        await stage.open()
        await stage.restore(REQUESTS, state)
        try:
            yield stage
        finally:
            await stage.close()


def drafts_of(effects: Effects) -> list[DraftGenerated]:
    return [each for each in outputs_to(effects, "drafts.generated") if isinstance(each, DraftGenerated)]


def costs_of(effects: Effects) -> list[CostEvent]:
    return [each for each in outputs_to(effects, "cost.events") if isinstance(each, CostEvent)]


def state_of(effects: Effects) -> State:
    """Return the state as it is after all changes."""
    kept: dict[bytes, bytes | None] = {change.key: change.value for change in effects.state}
    return [(key, value) for key, value in kept.items() if value is not None]


def faults_of(effects: Effects) -> dict[int, str]:
    return {each.offset: str(each.fault) for each in effects.rejections.get(REQUESTS, ())}


def some_requests(count: int) -> list[PersonaRequest]:
    return [request(f"r{number}", brief=f"napping before shift number {number}") for number in range(count)]


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
    savings = [each for each in outputs_to(effects, "cost.savings") if isinstance(each, CostSaving)]
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
    async with generating(server, timeout_s=60.0) as stage:
        await stage.add(rows(REQUESTS, some_requests(6)))
        found: set[str] = set()
        async with asyncio.timeout(20):
            while len(found) < 5:
                found |= {draft.request_id for draft in drafts_of(await stage.flush())}
                await asyncio.sleep(0.005)
        assert stage.unfinished(REQUESTS) is not None


@pytest.mark.parametrize("fault", ["429", "500", "malformed", "slow"])
async def test_a_provider_that_fails_loses_no_request_and_books_every_token_once(fault: Fault) -> None:
    faults: list[Fault | None] = [fault if place % 5 == 2 else None for place in range(20)]
    server = LoopbackOpenAI(faults=faults)
    async with generating(server, timeout_s=0.5, concurrency=4) as stage:
        await stage.add(rows(REQUESTS, some_requests(8)))
        effects = await finished_effects(stage)
    assert {draft.request_id for draft in drafts_of(effects)} == {f"r{number}" for number in range(8)}
    costs = costs_of(effects)
    assert len(costs) == len({cost.event_id for cost in costs}) == 16
    assert sum(cost.prompt_tokens for cost in costs) == server.prompt_tokens
    assert len(server.requests) == 20


async def test_a_worker_that_goes_on_after_a_crash_repeats_only_the_unfinished_step() -> None:
    server = LoopbackOpenAI(faults=[None, "slow"])
    async with generating(server, timeout_s=60.0) as stage:
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


async def test_what_is_under_way_and_a_model_that_is_left_alone_are_told_as_readings() -> None:
    server, clock = LoopbackOpenAI(down={STRONG}, latency_s=0.02), SettableClock(NOW)
    async with generating(server, concurrency=1, clock=clock) as stage:
        await stage.add(rows(REQUESTS, some_requests(4)))
        clock.now = NOW + timedelta(seconds=7)
        values = {(each.metric.name, *each.labels): each.value for each in stage.readings()}
        assert values["generation_bound",] == 2
        assert values["generation_under_way",] + values["generation_waiting",] == 4
        assert values["generation_oldest_seconds",] == 7.0
        effects = await finished_effects(stage)
        told = {(each.metric.name, *each.labels): each.value for each in stage.readings()}
    assert len(drafts_of(effects)) == 4
    assert told["llm_breaker_state", STRONG, "closed"] == 0
    assert told["llm_breaker_state", CHEAP, "closed"] == 1
    assert told["generation_oldest_seconds",] == 0.0


async def test_calls_run_at_once_up_to_the_bound() -> None:
    server = LoopbackOpenAI(latency_s=0.05)
    async with generating(server, concurrency=3) as stage:
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
    async with generating(LoopbackOpenAI(faults=["400"]), concurrency=1) as stage:
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


def spent(micros: int) -> SpendTotal:
    day = NOW.replace(hour=0, minute=0)
    hours = [0] * 24
    hours[NOW.hour] = micros
    return SpendTotal(
        event_id=f"s{micros}",
        occurred_at=NOW,
        total_id="night-shift-nora|2026-11-22|0",
        persona_id="night-shift-nora",
        day=day,
        source_partition=0,
        hour_micros=tuple(hours),
    )


async def test_requests_over_budget_are_parked_through_a_restart_and_go_on_at_midnight() -> None:
    limits, over = Limits(None, 1_000_000), [spent(960_000)]
    server, clock = LoopbackOpenAI(), SettableClock(NOW)
    async with generating(server, gate=budgets(limits, over, clock), clock=clock) as stage:
        assert await stage.add(rows(REQUESTS, some_requests(3))) == []
        assert stage.unfinished(REQUESTS) is None
        parked = await stage.flush()
    assert parked.outputs == []
    assert server.requests == []
    async with generating(server, state=state_of(parked), gate=budgets(limits, over, clock), clock=clock) as stage:
        assert not stage.idle_flush_due()
        clock.now = NOW.replace(hour=0, minute=0) + timedelta(days=1)
        assert stage.idle_flush_due()
        await stage.flush()
        effects = await parked_effects(stage, 3)
    assert {draft.request_id for draft in drafts_of(effects)} == {"r0", "r1", "r2"}
    assert {key[:1] for key, value in state_of(effects)} == {b"f"}


async def parked_effects(stage: GenerateStage, drafts: int) -> Effects:
    """Flush until so many drafts of parked requests have come."""
    together = Effects()
    async with asyncio.timeout(20):
        while len(drafts_of(together)) < drafts:
            effects = await stage.flush()
            together.state += effects.state
            together.outputs += effects.outputs
            await asyncio.sleep(0.005)
        while stage.idle_flush_due():
            together.state += (await stage.flush()).state
    return together


async def test_a_crash_before_a_parked_request_is_told_tells_it_again_and_one_that_fails_is_dead_lettered() -> None:
    server, clock = LoopbackOpenAI(faults=[None, "400"]), SettableClock(NOW)
    gate = budgets(Limits(None, 1_000_000), [spent(960_000)], clock)
    async with generating(server, gate=gate, clock=clock, concurrency=1) as stage:
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
    async with generating(LoopbackOpenAI(), state=kept, gate=gate, clock=clock) as stage:
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
    async with generating(server, gate=budgets(Limits(), [spent(87_000)])) as stage:
        await stage.add(rows(REQUESTS, [request()]))
        assert len(drafts_of(await finished_effects(stage))) == 1
    assert {body["model"] for body in server.requests} == {CHEAP}


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
        effects = await parked_effects(stage, 2)
    assert len(server.batches.batches) == 1
    assert server.requests == []
    assert {draft.request_id for draft in drafts_of(effects)} == {"r0", "r1"}
    costs = costs_of(effects)
    assert [cost.step for cost in costs] == ["hook", "body"] * 2
    savings = [each for each in outputs_to(effects, "cost.savings") if isinstance(each, CostSaving)]
    booked = sum(cost.cost_micros or 0 for cost in costs)
    spared = sum(saving.saved_micros or 0 for saving in savings if saving.measure == "batch")
    assert abs(booked - spared) <= len(costs)  # half the price, each share rounded
    assert {key[:1] for key, _ in state_of(effects)} == {b"f"}


async def test_models_that_will_fail_or_have_no_price_are_reported_at_the_start(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with generating(LoopbackOpenAI(models=(STRONG,))):
        said = [record.getMessage() for record in caplog.records]
    assert any(f"{CHEAP} is not among the 1 models that the provider offers" in each for each in said)
    assert not any(STRONG in each for each in said)


async def test_requests_go_all_the_way_to_a_decision() -> None:
    score = ScoreStage(sample_directory(), threshold=0.5)
    deduplicate = DeduplicateStage(limits=FITTED["blend"], load_embedder=BlendedEmbedder, prices=read_prices())
    generated, scored = TopicPartition("drafts.generated", 0), TopicPartition("drafts.scored", 0)
    await deduplicate.open()
    await deduplicate.restore(scored, [])
    await score.restore(generated, [])
    async with generating(LoopbackOpenAI()) as stage:
        await stage.add(rows(REQUESTS, [request("r1"), request("r2"), request("r3", brief="coffee for the day team")]))
        written = sorted(drafts_of(await finished_effects(stage)), key=lambda draft: draft.request_id)
    await score.add(rows(generated, written))
    judged = [each for each in outputs_to(await score.flush(), "drafts.scored") if isinstance(each, DraftScored)]
    await deduplicate.add(rows(scored, judged))
    effects = await deduplicate.flush()
    decided = {
        each.record.draft.request_id: each.record
        for each in single(effects.outputs)
        if isinstance(each.record, DraftDecided)
    }
    assert [each.decision for each in decided.values()] == ["accepted", "rejected", "accepted"]
    near = decided["r2"].near_duplicate
    assert near is not None
    assert near.draft_id == decided["r1"].draft.draft_id
