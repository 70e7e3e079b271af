"""Moderation of drafts in the generate stage: the setting chooses who moderates, and nothing goes out unmoderated."""

from __future__ import annotations

from typing import Literal

import pytest

from agents.costs.price_file import read_prices
from agents.generation.stage import GenerateStage
from schemas.records import CostEvent, DraftGenerated
from streams.engine.stage import Effects
from streams.settings import Settings
from tests.drafting import (
    NOW,
    REQUESTS,
    ListedPast,
    SettableClock,
    finished_effects,
    free_budgets,
    outputs_to,
    request,
    rows,
    sample_directory,
)
from tests.openai_loopback import LoopbackOpenAI, loopback_openai
from tests.openai_vectors import MARKER


async def generated(server: LoopbackOpenAI, moderation: Literal["provider", "words"], brief: str) -> Effects:
    async with loopback_openai(server) as running:
        settings = Settings(
            OPENAI_BASE_URL=running.base_url, OPENAI_API_KEY="sk-test", llm_timeout_s=10.0, moderation=moderation
        )
        stage = GenerateStage(
            settings, sample_directory(), read_prices(), ListedPast(), free_budgets(), clock=SettableClock(NOW)
        )
        await stage.open()
        await stage.restore(REQUESTS, ())
        try:
            await stage.add(rows(REQUESTS, [request(brief=brief)]))
            return await finished_effects(stage)
        finally:
            await stage.close()


def drafts_of(effects: Effects) -> list[DraftGenerated]:
    return [each for each in outputs_to(effects, "drafts.generated") if isinstance(each, DraftGenerated)]


async def test_what_the_provider_flags_is_revised_twice_then_refused_with_the_reason_and_still_paid_for() -> None:
    effects = await generated(LoopbackOpenAI(), "provider", f"napping and {MARKER}")
    assert drafts_of(effects) == []
    (refused,) = effects.rejections[REQUESTS]
    assert str(refused.fault).count("moderation: violence") == 3
    assert len([each for each in outputs_to(effects, "cost.events") if isinstance(each, CostEvent)]) == 4


async def test_with_word_lists_the_provider_is_not_asked() -> None:
    effects = await generated(LoopbackOpenAI(faults_at={"moderations": ["401"]}), "words", f"napping and {MARKER}")
    assert len(drafts_of(effects)) == 1


@pytest.mark.parametrize("fault", ["500", "429", "malformed"])
async def test_a_draft_waits_for_a_moderation_that_is_away_and_is_not_written_again(
    fault: Literal["500", "429", "malformed"],
) -> None:
    server = LoopbackOpenAI(faults_at={"moderations": [fault, fault]})
    effects = await generated(server, "provider", "napping before a shift")
    assert len(drafts_of(effects)) == 1
    assert server.faults_at["moderations"] == []
    assert len(server.requests) == 2
