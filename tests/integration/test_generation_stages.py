"""The three stages of the generation role against the loopback API: what is asked, booked, repeated and refused."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest

from agents.costs.price_file import read_prices
from agents.deduplication.stage import DeduplicateStage
from agents.generation.stage import GenerateStage
from agents.scoring.stage import ScoreStage
from schemas.records import CostEvent, DraftDecided, DraftGenerated, DraftScored, PersonaRequest
from streams.engine.batch import TopicPartition
from streams.engine.stage import Effects
from streams.errors import SettingsError, Unavailable
from streams.settings import Settings
from tests.drafting import NOW, REQUESTS, outputs_to, request, rows, sample_directory
from tests.openai_loopback import Fault, LoopbackOpenAI, loopback_openai
from tests.single_outputs import single

State = Sequence[tuple[bytes, bytes]]


@asynccontextmanager
async def generating(
    server: LoopbackOpenAI, *, state: State = (), timeout_s: float = 10.0, concurrency: int = 8
) -> AsyncIterator[GenerateStage]:
    async with loopback_openai(server) as running:
        settings = Settings(
            OPENAI_BASE_URL=running.base_url,
            OPENAI_API_KEY="sk-test",
            llm_timeout_s=timeout_s,
            llm_concurrency=concurrency,
        )
        stage = GenerateStage(settings, sample_directory(), read_prices(), clock=lambda: NOW)
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
    return [(change.key, change.value) for change in effects.state if change.value is not None]


def some_requests(count: int) -> list[PersonaRequest]:
    return [request(f"r{number}", brief=f"napping before shift number {number}") for number in range(count)]


async def test_a_request_becomes_drafts_whose_hook_stands_first_and_every_call_is_booked() -> None:
    server = LoopbackOpenAI()
    async with generating(server) as stage:
        assert await stage.add(rows(REQUESTS, [request(draft_count=2)])) == []
        effects = await stage.flush()
    drafts, costs = drafts_of(effects), costs_of(effects)
    assert len(drafts) == 2
    assert len({draft.draft_id for draft in drafts}) == 2
    for draft in drafts:
        assert draft.event_id == draft.draft_id
        assert draft.text.startswith(draft.hook)
        assert draft.text == f"{draft.hook}\n\n{draft.body}"
        assert draft.model == "gpt-4.1-mini-2025-04-14"
        assert draft.causation_id == draft.request_id == "request-1"
    assert [cost.step for cost in costs] == ["hook", "body"] * 2
    assert len({cost.event_id for cost in costs}) == len(server.requests) == 4
    assert sum(draft.cost_micros or 0 for draft in drafts) == sum(cost.cost_micros or 0 for cost in costs) > 0
    assert {body["model"] for body in server.requests} == {"gpt-4.1", "gpt-4.1-mini"}


async def test_a_request_that_comes_again_gets_the_very_same_records_without_a_call() -> None:
    server = LoopbackOpenAI()
    async with generating(server) as stage:
        await stage.add(rows(REQUESTS, [request()]))
        first = await stage.flush()
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


async def test_the_same_request_twice_in_a_batch_is_written_once() -> None:
    server = LoopbackOpenAI()
    async with generating(server) as stage:
        await stage.add(rows(REQUESTS, [request(), request()]))
        effects = await stage.flush()
    assert len(server.requests) == 2
    assert len({draft.event_id for draft in drafts_of(effects)}) == 1
    assert len(effects.state) == 1


async def test_a_rate_limit_pauses_with_the_wait_and_only_the_unfinished_is_repeated() -> None:
    server = LoopbackOpenAI(faults=[None, None, None, "429"], retry_after="3")
    batch = rows(REQUESTS, some_requests(2))
    async with generating(server, concurrency=1) as stage:
        with pytest.raises(Unavailable) as caught:
            await stage.add(batch)
        assert caught.value.retry_after_s == 3.0
        assert (await stage.flush()).outputs == []
        assert await stage.add(batch) == []
        effects = await stage.flush()
    assert len(server.requests) == 5  # hook, body; hook, 429; body alone
    assert len(drafts_of(effects)) == 2
    assert len({cost.event_id for cost in costs_of(effects)}) == 4


@pytest.mark.parametrize("fault", ["500", "malformed", "slow"])
async def test_a_provider_that_fails_loses_no_request_and_books_every_token_once(fault: Fault) -> None:
    faults: list[Fault | None] = [fault if place % 5 == 2 else None for place in range(20)]
    server, batch, pauses = LoopbackOpenAI(faults=faults), rows(REQUESTS, some_requests(8)), 0
    async with generating(server, timeout_s=0.5, concurrency=4) as stage:
        for _ in range(30):
            try:
                assert await stage.add(batch) == []
            except Unavailable:
                pauses += 1
            else:
                break
        effects = await stage.flush()
    assert pauses > 0
    assert {draft.request_id for draft in drafts_of(effects)} == {f"r{number}" for number in range(8)}
    costs = costs_of(effects)
    assert len(costs) == len({cost.event_id for cost in costs}) == 16


async def test_calls_run_at_once_up_to_the_bound() -> None:
    server = LoopbackOpenAI(latency_s=0.05)
    async with generating(server, concurrency=3) as stage:
        await stage.add(rows(REQUESTS, some_requests(9)))
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
        effects = await stage.flush()
    assert [each.offset for each in refused] == [101, 102, 103]
    assert "brief is blank" in str(refused[0].fault)
    assert "'nobody' is unknown; apply it with `threads-agent personas apply`" in str(refused[1].fault)
    assert {draft.request_id for draft in drafts_of(effects)} == {"good-1", "good-2"}


@pytest.mark.parametrize("fault", ["empty", "garbage", "refusal"])
async def test_nonsense_is_asked_for_again_twice_then_set_aside_and_still_paid_for(fault: Fault) -> None:
    server = LoopbackOpenAI(faults=[fault] * 3)
    async with generating(server) as stage:
        refused = await stage.add(rows(REQUESTS, [request()]))
        effects = await stage.flush()
    assert len(server.requests) == 3
    assert len({body["seed"] for body in server.requests}) == 3
    assert "hook: no usable answer in 3 attempts" in str(refused[0].fault)
    assert drafts_of(effects) == []
    assert len(costs_of(effects)) == 3


async def test_one_empty_answer_costs_one_more_call_and_no_request() -> None:
    server = LoopbackOpenAI(faults=[None, "empty"])
    async with generating(server) as stage:
        assert await stage.add(rows(REQUESTS, [request()])) == []
        assert len(costs_of(await stage.flush())) == 3


async def test_an_answer_that_is_banned_too_long_or_has_a_slot_is_never_sent_on() -> None:
    answers = iter(["A hook for {name}.", "My hustle pays off.", "I nap before every night shift."])
    long = "I nap and I count the minutes of it. " * 40

    def answer(part: str, _: object) -> str:
        return next(answers) if part == "hook" else long

    async with generating(LoopbackOpenAI(answer=answer)) as stage:
        assert await stage.add(rows(REQUESTS, [request()])) == []
        (draft,) = drafts_of(await stage.flush())
    assert draft.hook == "I nap before every night shift."
    assert draft.body == "I nap and I count the minutes of it."


async def test_a_refused_prompt_is_a_fault_of_the_request_alone() -> None:
    async with generating(LoopbackOpenAI(faults=["400"])) as stage:
        (refused,) = await stage.add(rows(REQUESTS, [request()]))
    assert "refused the prompt with status 400 (context_length_exceeded)" in str(refused.fault)


async def test_a_wrong_key_ends_the_worker_with_what_to_check() -> None:
    async with generating(LoopbackOpenAI(faults=["401"])) as stage:
        with pytest.raises(SettingsError, match="check OPENAI_API_KEY"):
            await stage.add(rows(REQUESTS, [request()]))


async def test_work_that_a_rebalance_interrupts_can_be_taken_up_again() -> None:
    server = LoopbackOpenAI(latency_s=5.0)
    async with generating(server) as stage:
        work = asyncio.create_task(_add(stage))
        async with asyncio.timeout(10):
            await server.called.wait()
        work.cancel()
        with pytest.raises(asyncio.CancelledError):
            await work
        await stage.drop(REQUESTS)
        server.latency_s = 0.0
        await stage.restore(REQUESTS, [])
        assert await stage.add(rows(REQUESTS, [request()])) == []
        assert len(drafts_of(await stage.flush())) == 1


async def _add(stage: GenerateStage) -> None:
    await stage.add(rows(REQUESTS, [request()]))


async def test_requests_go_all_the_way_to_a_decision() -> None:
    score = ScoreStage(sample_directory(), threshold=0.5)
    deduplicate = DeduplicateStage(similarity_limit=0.84)
    generated, scored = TopicPartition("drafts.generated", 0), TopicPartition("drafts.scored", 0)
    await deduplicate.open()
    await deduplicate.restore(scored, [])
    async with generating(LoopbackOpenAI()) as stage:
        await stage.add(rows(REQUESTS, [request("r1"), request("r2"), request("r3", brief="coffee for the day team")]))
        written = drafts_of(await stage.flush())
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
