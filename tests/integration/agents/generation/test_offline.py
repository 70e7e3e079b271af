"""The embedded model itself: real posts from a real request, through the real client."""

from __future__ import annotations

from agents.costs.prices import read_prices
from agents.generation.stage import GenerateStage
from agents.llm.provider import EMBEDDED_MODEL
from agents.scoring.quality import failures, score_draft
from agents.scoring.settings import ScoringSettings
from schemas.records import CostEvent, DraftGenerated
from tests.conftest import Stack
from tests.support.drafting import (
    NOW,
    REQUESTS,
    ListedPast,
    finished_effects,
    free_budgets,
    outputs_to,
    request,
    rows,
    sample_directory,
)
from tests.support.settings import settings_with
from tests.support.stage_driver import DrivenStage


async def test_the_embedded_model_writes_posts_that_pass_and_cost_nothing(stack: Stack, llm: str) -> None:
    assert llm.endswith("/v1")
    settings = settings_with(home=stack.home, OPENAI_API_KEY=None, OPENAI_BASE_URL=None, llm_timeout_s=120)
    stage = DrivenStage(
        GenerateStage(settings, sample_directory(), read_prices(), ListedPast(), free_budgets(), clock=lambda: NOW)
    )
    await stage.open()
    await stage.restore(REQUESTS, [])
    await stage.catch_up()
    records = [
        request("r1", brief="coffee at four in the morning"),
        request("r2", persona_id="balcony-bea", brief="growing strawberries in a pot"),
        request("r3", persona_id="cocina-carla", brief="eggs for dinner"),
        request("r4", persona_id="cocina-carla", brief="huevos para cenar", language="es"),
    ]
    try:
        refused = await stage.add(rows(REQUESTS, records))
        effects = await finished_effects(stage, deadline_s=120)
    finally:
        await stage.close()
    assert [each.offset for each in refused] == [3]
    assert "the embedded model writes en only" in str(refused[0].fault)
    drafts = [each for each in outputs_to(effects, "drafts.generated") if isinstance(each, DraftGenerated)]
    costs = [each for each in outputs_to(effects, "cost.events") if isinstance(each, CostEvent)]
    assert {draft.request_id for draft in drafts} == {"r1", "r2", "r3"}
    for draft in drafts:
        assert draft.model == EMBEDDED_MODEL
        assert draft.text.startswith(draft.hook)
        assert draft.cost_micros == 0
    qualities = [
        score_draft(draft, banned_phrases=(), threshold=settings.of(ScoringSettings).quality_threshold)
        for draft in drafts
    ]
    assert any(quality.passed for quality in qualities), [failures(quality) for quality in qualities]
    assert all(cost.cost_micros == 0 and cost.completion_tokens > 0 for cost in costs)
    assert len(costs) <= len(drafts) * 6
