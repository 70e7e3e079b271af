"""What the generate stage tells of itself: what is under way, and models that are left alone or will fail."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from agents.generation.metrics import GENERATION_REQUESTS
from agents.generation.stage import GenerateStage
from tests.support.drafting import NOW, REQUESTS, SettableClock, finished_effects, request, rows
from tests.support.generate_stage import CHEAP, STRONG, drafts_of, generating, some_requests
from tests.support.openai.loopback import LoopbackOpenAI
from tests.support.stage_driver import DrivenStage


async def test_what_is_under_way_and_a_model_that_is_left_alone_are_told_as_readings() -> None:
    server, clock = LoopbackOpenAI(down={STRONG}, latency_s=0.02), SettableClock(NOW)
    async with generating(server, llm_concurrency=1, clock=clock) as stage:
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


async def test_requests_are_counted_once_by_whether_they_were_written_in_time() -> None:
    clock = SettableClock(NOW + timedelta(seconds=100))
    old = replace(request("old"), occurred_at=NOW - timedelta(seconds=1))
    asked = [request("new"), old, request("nobody", persona_id="nobody")]
    async with generating(LoopbackOpenAI(), request_time_s=100.0, clock=clock) as stage:
        assert ends(stage) == {"in_time": 0, "late": 0, "dead_lettered": 0}
        refused = await stage.add(rows(REQUESTS, asked))
        await finished_effects(stage)
        counted = ends(stage)
        await stage.add(rows(REQUESTS, asked[:2], first_offset=4))
        await finished_effects(stage)
        assert ends(stage) == counted == {"in_time": 1, "late": 1, "dead_lettered": len(refused)}
    assert len(refused) == 1


def ends(stage: DrivenStage[GenerateStage]) -> dict[str, float]:
    """Return how many requests came to which end."""
    readings = [each for each in stage.readings() if each.metric is GENERATION_REQUESTS]
    return {each.labels[0]: each.value for each in readings}


async def test_models_that_will_fail_or_have_no_price_are_reported_at_the_start(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with generating(LoopbackOpenAI(models=(STRONG,))):
        said = [record.getMessage() for record in caplog.records]
    assert any(f"{CHEAP} is not among the 1 models that the provider offers" in each for each in said)
    assert not any(STRONG in each for each in said)
