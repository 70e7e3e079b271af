"""The measures and the bill of each: the real graph, writer, cache and prices on the same requests."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, get_args

from agents.caching.settings import CachingSettings
from agents.costs.prices import PriceList
from agents.generation.asking.calls import CallMemory, call_id
from agents.generation.asking.chat_writer import calls_in, line_of
from agents.generation.asking.writer import Past
from agents.generation.assignment import Assignment, Burst, bursts_of
from agents.generation.drafting.graph import DraftGraph
from agents.generation.settings import GenerationSettings
from agents.generation.writing import Writing, open_writing
from schemas.records import CostEvent
from streams.settings import Settings

Measure = Literal["tier", "cache", "template", "burst", "batch"]
MEASURES: tuple[Measure, ...] = get_args(Measure)
CLAIMED = {"tier": 0.70, "cache": 0.60, "template": 0.30}
"""What the system that this one replaces said it spared, as shares of the bill."""

WITHOUT_LIMIT = 1_000_000
SLICE = 32  # requests that come together


@dataclass(frozen=True, slots=True)
class Bill:
    """What requests cost: calls booked, tokens, and money in micro-dollars."""

    drafts: int
    prompt_tokens: int
    completion_tokens: int
    micros: int


class NothingPosted:
    """The past of personas that have posted nothing yet: so that a repeated question has the same context."""

    async def refresh(self) -> None:
        """Know everything already."""

    async def of(self, persona_id: str) -> Past:
        """Return an empty past."""
        del persona_id
        return Past()

    async def close(self) -> None:
        """Hold nothing."""


def settings_with(settings: Settings, measures: Sequence[Measure]) -> Settings:
    """Return the settings with these measures as the settings have them, and the others switched off."""
    writing, caching = settings.of(GenerationSettings), settings.of(CachingSettings)
    off: dict[Measure, dict[str, Any]] = {
        "tier": {"body_model": writing.hook_model},
        "template": {"instruction_tokens": WITHOUT_LIMIT},
        "burst": {"burst_size": 1},
    }
    changed = {name: value for each in off if each not in measures for name, value in off[each].items()}
    return settings.having(
        writing.model_copy(update=changed),
        caching if "cache" in measures else caching.model_copy(update={"llm_cache": "off"}),
    )


async def bill_of(
    settings: Settings,
    measures: Sequence[Measure],
    assignments: Sequence[Assignment],
    prices: PriceList,
    clock: Callable[[], datetime],
) -> Bill:
    """Return the bill of the drafts with some measures; the settings name the model server."""
    memory = CallMemory(clock, prices)
    used = settings_with(settings, measures)
    writing = await open_writing(used)
    try:
        graph = DraftGraph(writing.writer, memory, NothingPosted(), writing.guard)
        costs: list[CostEvent] = []
        drafts = 0
        tokens = used.of(GenerationSettings).instruction_tokens
        for start in range(0, len(assignments), SLICE):
            for burst in bursts_of(assignments[start : start + SLICE], writing.writer.most_at_once):
                if "batch" in measures:
                    await _answer_by_batch(burst, writing, tokens, memory, prices)
                for outcome in await graph.write(burst):
                    drafts += outcome.draft is not None
                    costs += outcome.costs
    finally:
        await writing.close()
    return Bill(
        drafts,
        sum(cost.prompt_tokens for cost in costs),
        sum(cost.completion_tokens for cost in costs),
        sum(cost.cost_micros or 0 for cost in costs),
    )


async def _answer_by_batch(
    burst: Burst, writing: Writing, instruction_tokens: int, memory: CallMemory, prices: PriceList
) -> None:
    """Let the line that a batch would hold be answered at once, and book it at the price of batches."""
    assert writing.tiers is not None, "the embedded model has no batches"
    for assignment in burst:
        model = writing.tiers.models_for("hook", assignment)[0]
        line = line_of([assignment], model, instruction_tokens)
        reply = await writing.client.chat(
            model=line.model, system=line.system, user=line.user, answer=line.answer, sampling=line.sampling
        )
        for each, call in calls_in(reply, [assignment], datetime.now(UTC), prices):
            memory.remember(each, call_id(each, call.step, call.attempt), call)
