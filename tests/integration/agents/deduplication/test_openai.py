"""Drafts embedded by a provider, against the loopback API: what is asked, booked, repeated and refused."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import pytest

from agents.costs.prices import read_prices
from agents.deduplication.draft_vectors import MOST_UNREAD, TEXTS_A_CALL
from agents.deduplication.stage import DeduplicateStage
from agents.deduplication.verdict import limits_of
from agents.embedding.embedders import embedder_of
from agents.llm.faults.faults import NoAnswer
from schemas.records import CostEvent, DraftDecided, DraftScored
from streams.errors import SettingsError, Unavailable
from streams.identity import derived_id
from tests.support.drafting import NOW, SCORED, draft, outputs_to, passing_quality, rows
from tests.support.openai.loopback import LoopbackOpenAI, loopback_openai
from tests.support.openai.vectors import DIMENSIONS
from tests.support.settings import settings_with
from tests.support.single_outputs import single
from tests.support.stage_driver import DrivenStage, Emitted

State = Sequence[tuple[bytes, bytes]]


@asynccontextmanager
async def deduplicating(
    server: LoopbackOpenAI, *, state: State = (), dimensions: int = DIMENSIONS
) -> AsyncIterator[DrivenStage[DeduplicateStage]]:
    async with loopback_openai(server) as running:
        settings = settings_with(
            OPENAI_BASE_URL=running.base_url,
            OPENAI_API_KEY="sk-test",
            llm_timeout_s=10.0,
            embedder="openai",
            embedding_dimensions=dimensions,
            duplicate_similarity=0.9,
            duplicate_similarity_across=0.95,
        )
        stage = DrivenStage(
            DeduplicateStage(
                limits=limits_of(settings),
                load_embedder=partial(embedder_of, settings),
                prices=read_prices(),
                clock=lambda: NOW,
            )
        )
        await stage.open()
        await stage.restore(SCORED, state)
        try:
            yield stage
        finally:
            await stage.close()


def scored(draft_id: str, hook: str, body: str = "It took me three years.", persona_id: str = "p") -> DraftScored:
    return DraftScored(
        event_id=derived_id(draft_id, "score"),
        occurred_at=NOW,
        persona_id=persona_id,
        draft=draft(hook, body, draft_id=draft_id, persona_id=persona_id),
        quality=passing_quality(),
    )


def costs_of(effects: Emitted) -> list[CostEvent]:
    return [each for each in outputs_to(effects, "cost.events") if isinstance(each, CostEvent)]


def decided_of(effects: Emitted) -> list[DraftDecided]:
    return [each.record for each in single(effects.outputs) if isinstance(each.record, DraftDecided)]


DRAFTS = (
    scored("a", "Buy a bigger pot for your tomatoes."),
    scored("b", "Ask twice for the money on an invoice.", persona_id="q"),
    scored("c", "Buy a bigger pot for your tomato."),
)


async def test_each_draft_books_its_share_of_a_call_once_also_when_it_comes_again() -> None:
    server = LoopbackOpenAI()
    async with deduplicating(server) as stage:
        assert await stage.add(rows(SCORED, DRAFTS)) == []
        effects = await stage.flush()
        booked = costs_of(effects)
        assert [each.persona_id for each in booked] == ["p", "q", "p"]
        assert len({each.event_id for each in booked}) == 3
        assert all(each.step == "embedding" and each.cost_micros is not None for each in booked)
        tokens = sum((len(each.draft.text) + 3) // 4 for each in DRAFTS)
        assert sum(each.prompt_tokens for each in booked) == tokens
        decided = decided_of(effects)
        assert [each.decision for each in decided] == ["accepted", "accepted", "rejected"]
        assert decided[0].embedding_model == f"text-embedding-3-small-{DIMENSIONS}"
        assert len(decided[0].embedding) == DIMENSIONS
    state = [(change.key, change.value) for change in effects.state if change.value is not None]
    async with deduplicating(LoopbackOpenAI(faults_at={"embeddings": ["500"]}), state=state) as stage:
        await stage.add(rows(SCORED, DRAFTS, 3))
        again = await stage.flush()
        assert decided_of(again) == decided
        assert costs_of(again) == []


async def test_a_provider_that_is_away_leaves_nothing_folded_and_pays_for_no_text_twice() -> None:
    many = [scored(f"d{number}", f"Number {number} of my list.") for number in range(TEXTS_A_CALL + 5)]
    server = LoopbackOpenAI(faults_at={"embeddings": [None, "429"]})
    async with deduplicating(server) as stage:
        with pytest.raises(Unavailable) as away:
            await stage.add(rows(SCORED, many))
        assert away.value.retry_after_s is not None
        nothing = await stage.flush()
        assert (nothing.state, nothing.outputs) == ([], [])
        server.faults_at["embeddings"] = [None, "500"]  # the first call of this attempt is for the rest only
        assert await stage.add(rows(SCORED, many)) == []
        effects = await stage.flush()
        assert len(costs_of(effects)) == len(decided_of(effects)) == len(many)
        assert server.faults_at["embeddings"] == ["500"]


async def test_a_text_that_the_provider_refuses_is_rejected_alone() -> None:
    server = LoopbackOpenAI(faults_at={"embeddings": ["400", None, "400", None]})
    async with deduplicating(server) as stage:
        rejections = await stage.add(rows(SCORED, DRAFTS))
        assert [each.offset for each in rejections] == [1]
        effects = await stage.flush()
        assert [each.draft.draft_id for each in decided_of(effects)] == ["a", "c"]
        assert len(costs_of(effects)) == 2


async def test_a_model_of_fewer_dimensions_and_a_missing_provider_are_told_with_the_setting() -> None:
    async with deduplicating(LoopbackOpenAI(), dimensions=512) as stage:
        with pytest.raises(SettingsError, match=f"set THREADS_EMBEDDING_DIMENSIONS={DIMENSIONS}"):
            await stage.add(rows(SCORED, DRAFTS))
    with pytest.raises(SettingsError, match="set OPENAI_API_KEY"):
        embedder_of(settings_with(embedder="openai"))


UNREADABLE: list[Callable[[dict[str, Any]], object]] = [
    lambda answer: answer | {"data": answer["data"][:-1]},
    lambda answer: answer | {"data": None},
    lambda answer: answer | {"data": [each | {"embedding": [math.nan] * 8} for each in answer["data"]]},
    lambda answer: answer | {"data": [each | {"embedding": [1e30] * DIMENSIONS} for each in answer["data"]]},
    lambda answer: answer | {"data": [each | {"embedding": "!"} for each in answer["data"]]},
    lambda answer: answer | {"data": [each | {"embedding": None} for each in answer["data"]]},
    lambda answer: answer | {"data": [each | {"index": 0} for each in answer["data"]]},
    lambda answer: answer | {"data": [{"index": 0, "embedding": [1.0] * (8 + place)} for place in range(3)]},
]


@pytest.mark.parametrize("change", UNREADABLE)
async def test_embeddings_that_nobody_can_read_are_asked_for_a_few_times_and_all_of_them_booked(
    change: Callable[[dict[str, Any]], object],
) -> None:
    server = LoopbackOpenAI(embedded=change)
    async with deduplicating(server) as stage:
        for _ in range(MOST_UNREAD - 1):
            with pytest.raises(NoAnswer):
                await stage.add(rows(SCORED, DRAFTS))
        rejections = await stage.add(rows(SCORED, DRAFTS))
        effects = await stage.flush()
    assert [each.offset for each in rejections] == [0, 1, 2]
    assert decided_of(effects) == []
    tokens = sum((len(each.draft.text) + 3) // 4 for each in DRAFTS)
    assert sum(cost.prompt_tokens for cost in costs_of(effects)) == MOST_UNREAD * tokens


async def test_embeddings_that_can_be_read_in_the_end_are_booked_with_those_that_could_not() -> None:
    answers: Iterator[dict[str, Any]] = iter([{"usage": None, "data": []}, {}])
    async with deduplicating(LoopbackOpenAI(embedded=lambda answer: answer | next(answers))) as stage:
        with pytest.raises(NoAnswer):
            await stage.add(rows(SCORED, DRAFTS))
        assert await stage.add(rows(SCORED, DRAFTS)) == []
        costs = costs_of(await stage.flush())
    assert len(costs) == 3
    assert all(cost.prompt_tokens > 0 for cost in costs)


@pytest.mark.parametrize("usage", [None, {}, {"prompt_tokens": "many"}, {"prompt_tokens": -3}])
async def test_embeddings_without_a_usage_cost_what_nobody_knows(usage: object) -> None:
    async with deduplicating(LoopbackOpenAI(embedded=lambda answer: answer | {"usage": usage})) as stage:
        assert await stage.add(rows(SCORED, DRAFTS)) == []
        assert [cost.cost_micros for cost in costs_of(await stage.flush())] == [None] * 3
