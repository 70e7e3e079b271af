"""The generate stage against a loopback provider, and what is looked at in its effects."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

from agents.costs.prices import read_prices
from agents.generation.choices import HookJudge, StyleChoices
from agents.generation.stage import GenerateStage
from agents.personas.directory import PersonaDirectory
from agents.spend.budgets import Budgets
from schemas.records import CostEvent, CostSaving, DraftGenerated, PersonaRequest
from tests.support.drafting import (
    NOW,
    REQUESTS,
    ListedPast,
    SettableClock,
    free_budgets,
    outputs_to,
    request,
    sample_directory,
)
from tests.support.openai.loopback import LoopbackOpenAI, loopback_openai
from tests.support.settings import settings_with
from tests.support.stage_driver import DrivenStage, Emitted

State = Sequence[tuple[bytes, bytes]]
STRONG, CHEAP = "gpt-6.1-terra", "gpt-6-luna"
SETTINGS = {"llm_timeout_s": 10.0, "llm_concurrency": 8, "burst_size": 1, "batch_size": 2, "batch_poll_s": 0.05}


@asynccontextmanager
async def generating(
    server: LoopbackOpenAI,
    *,
    state: State = (),
    directory: PersonaDirectory | None = None,
    budgets: Budgets | None = None,
    clock: SettableClock | None = None,
    monotonic: Callable[[], float] = time.monotonic,
    styles: StyleChoices | None = None,
    judge: HookJudge | None = None,
    **settings: Any,
) -> AsyncIterator[DrivenStage[GenerateStage]]:
    """Run a stage that has taken over the partition REQUESTS; `settings` are those that differ from SETTINGS."""
    async with loopback_openai(server) as running:
        provider = {"OPENAI_BASE_URL": running.base_url, "OPENAI_API_KEY": "sk-test"}
        stage = DrivenStage(
            GenerateStage(
                settings_with(**(SETTINGS | settings | provider)),
                directory or sample_directory(),
                read_prices(),
                ListedPast(),
                budgets or free_budgets(),
                styles=styles,
                judge=judge,
                clock=clock or SettableClock(NOW),
                monotonic=monotonic,
            )
        )
        await stage.open()
        await stage.restore(REQUESTS, state)
        await stage.catch_up()
        try:
            yield stage
        finally:
            await stage.close()


def some_requests(count: int) -> list[PersonaRequest]:
    return [request(f"r{number}", brief=f"napping before shift number {number}") for number in range(count)]


def drafts_of(effects: Emitted) -> list[DraftGenerated]:
    return [each for each in outputs_to(effects, "drafts.generated") if isinstance(each, DraftGenerated)]


def costs_of(effects: Emitted) -> list[CostEvent]:
    return [each for each in outputs_to(effects, "cost.events") if isinstance(each, CostEvent)]


def savings_of(effects: Emitted) -> list[CostSaving]:
    return [each for each in outputs_to(effects, "cost.savings") if isinstance(each, CostSaving)]


def faults_of(effects: Emitted) -> dict[int, str]:
    return {each.offset: str(each.fault) for each in effects.rejections.get(REQUESTS, ())}


def state_of(effects: Emitted) -> State:
    """Return the state as it is after all changes."""
    kept: dict[bytes, bytes | None] = {change.key: change.value for change in effects.state}
    return [(key, value) for key, value in kept.items() if value is not None]


async def effects_with_drafts(stage: DrivenStage[GenerateStage], drafts: int) -> Emitted:
    """Flush until so many drafts have come and nothing is left to flush: no offset waits for parked requests."""
    together = Emitted()
    async with asyncio.timeout(20):
        while len(drafts_of(together)) < drafts:
            effects = await stage.flush()
            together.state += effects.state
            together.outputs += effects.outputs
            await asyncio.sleep(0.005)
        while stage.idle_flush_due():
            together.state += (await stage.flush()).state
    return together
