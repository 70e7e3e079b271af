"""From a booked call to its budget, on the real broker: what was spent is known, told, and holds back who spent it."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from click.testing import CliRunner

from agents.costs.budget import BudgetLimits, BudgetPolicy, periods_at
from agents.personas.persona import PersonaBudget
from agents.personas.persona_topic import apply_personas
from agents.spend.budgets import Budgets
from agents.spend.commands import budgets
from agents.spend.spend_topics import spend_directory
from schemas.records import CostEvent
from schemas.registries.registry import open_registry
from streams.engine.stage import Output
from streams.kafka.producer import EventProducer
from streams.settings import Settings, current_settings
from streams.wall_clock import utc_now
from tests.conftest import Stack
from tests.support.drafting import samples
from tests.support.sink_workers import sink_workers

DEADLINE_S, POLL_S = 60.0, 0.1


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not await condition():
        assert time.monotonic() < deadline, "not reached"
        await asyncio.sleep(POLL_S)


async def day_has_time_left() -> bool:
    """Tell whether the day, whose budget is tested, will not end in the midst of it."""
    now = utc_now()
    return periods_at(now)[1].end - now > timedelta(seconds=50)


def shown(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("THREADS_HOME", str(stack.home))
    current_settings.cache_clear()
    try:
        result = CliRunner().invoke(budgets, ["--json"], catch_exceptions=False)
        table = CliRunner().invoke(budgets, [], catch_exceptions=False, env={"COLUMNS": "250"})
    finally:
        monkeypatch.delenv("THREADS_HOME")
        current_settings.cache_clear()
    assert table.exit_code == result.exit_code == 0
    return {**json.loads(result.stdout), "table": table.stdout}


def call(persona_id: str, micros: int | None) -> Output:
    event = CostEvent(
        event_id=str(uuid4()),
        occurred_at=utc_now(),
        persona_id=persona_id,
        step="body",
        model="gpt-4.1",
        prompt_tokens=1,
        completion_tokens=1,
        cost_micros=micros,
    )
    return Output("cost.events", event)


@pytest.mark.timeout(180)
async def test_a_persona_that_spent_its_day_is_paused_told_of_and_shown(
    stack: Stack, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    await until(day_has_time_left)
    budget = PersonaBudget(daily_dollars=Decimal("2.50"))
    persona = samples()[0].model_copy(update={"persona_id": f"spender-{uuid4().hex[:12]}", "budget": budget})
    await apply_personas(stack.settings, [persona], utc_now())
    budgets = Budgets(
        spend_directory(stack.cluster, open_registry(None)), BudgetPolicy.of(Settings()), BudgetLimits.of(Settings())
    )
    producer = EventProducer(stack.cluster, open_registry(None))
    booked = [call(persona.persona_id, 1_200_000), call(persona.persona_id, None), call(persona.persona_id, 1_200_000)]
    async with sink_workers(stack, ("spend",), tmp_path) as workers:
        await producer.append_all([*booked, *booked])
        await producer.stop()

        async def paused() -> bool:
            await budgets.refresh()
            return budgets.level(persona, utc_now()).kind == "pause"

        await until(paused)
        level = budgets.level(persona, utc_now())
        assert level.until == periods_at(utc_now())[1].end
        assert "spent $2.40 of $2.50 (96 %)" in level.reason

        async def told() -> bool:
            found = await asyncio.to_thread(shown, stack, monkeypatch)
            return [each["kind"] for each in found["alerts_today"] if each["persona_id"] == persona.persona_id] == [
                "warn",
                "downgrade",
                "pause",
            ]

        await until(told)
        await workers.stop()
    await budgets.close()
    found = await asyncio.to_thread(shown, stack, monkeypatch)
    [own] = [each for each in found["personas"] if each["persona_id"] == persona.persona_id]
    assert (own["day"]["spent_micros"], own["day"]["limit_micros"]) == (2_400_000, 2_500_000)
    assert (own["unpriced_calls_today"], own["level"], own["reason"]) == (1, "pause", level.reason)
    assert level.reason in found["table"]
