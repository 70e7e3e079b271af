"""Moderation of drafts in the generate stage: the setting chooses who moderates, and nothing goes out unmoderated."""

from __future__ import annotations

from typing import Literal

import pytest

from tests.support.drafting import REQUESTS, finished_effects, request, rows
from tests.support.generate_stage import costs_of, drafts_of, faults_of, generating
from tests.support.openai.loopback import LoopbackOpenAI
from tests.support.openai.vectors import MARKER
from tests.support.stage_driver import Emitted


async def generated(server: LoopbackOpenAI, moderation: Literal["provider", "words"], brief: str) -> Emitted:
    async with generating(server, moderation=moderation) as stage:
        await stage.add(rows(REQUESTS, [request(brief=brief)]))
        return await finished_effects(stage)


async def test_what_the_provider_flags_is_revised_twice_then_refused_with_the_reason_and_still_paid_for() -> None:
    effects = await generated(LoopbackOpenAI(), "provider", f"napping and {MARKER}")
    assert drafts_of(effects) == []
    (refused,) = faults_of(effects).values()
    assert refused.count("moderation: violence") == 3
    assert len(costs_of(effects)) == 4


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
