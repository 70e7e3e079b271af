"""What tests of the generation role build: personas from a list, requests, drafts and batches."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from agents.costs.budget import BudgetLimits, BudgetPolicy
from agents.generation.asking.writer import Past
from agents.personas.directory import PersonaDirectory
from agents.personas.persona import Persona
from agents.personas.persona_file import SAMPLES, read_personas
from agents.personas.persona_topic import persona_applied
from agents.spend.budgets import Budgets, SpendDirectory
from schemas.records import DraftDecided, DraftGenerated, PersonaApplied, PersonaRequest, Quality, Record, SpendTotal
from streams.engine.batch import Row, RowBatch, TopicPartition
from streams.settings import Settings
from tests.support.listed_tail import ListedTail
from tests.support.single_outputs import single
from tests.support.stage_driver import DrivenStage, Emitted

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
REQUESTS = TopicPartition("persona.requests", 0)
SCORED = TopicPartition("drafts.scored", 0)


NO_PAST = Past()


@dataclass
class ListedPast:
    """The past of every persona, as the test says."""

    past: Past = NO_PAST

    async def refresh(self) -> None:
        """Nothing is read."""

    async def of(self, persona_id: str) -> Past:
        del persona_id
        return self.past

    async def close(self) -> None:
        """Nothing is open."""


def samples() -> list[Persona]:
    return read_personas(SAMPLES)


def listed(personas: Sequence[Persona]) -> ListedTail[PersonaApplied]:
    """Return a personas topic with these in force."""
    return ListedTail([(each.persona_id, persona_applied(each, NOW)) for each in personas])


def sample_directory() -> PersonaDirectory:
    return PersonaDirectory(listed(samples()))


def request(
    event_id: str = "request-1",
    *,
    persona_id: str = "night-shift-nora",
    brief: str = "napping before a night shift",
    language: str | None = None,
    draft_count: int = 1,
) -> PersonaRequest:
    return PersonaRequest(
        event_id=event_id,
        occurred_at=NOW,
        persona_id=persona_id,
        brief=brief,
        language=language,
        draft_count=draft_count,
    )


def draft(
    hook: str, body: str, *, language: str = "en", draft_id: str = "draft-1", persona_id: str = "p"
) -> DraftGenerated:
    return DraftGenerated(
        event_id=draft_id,
        occurred_at=NOW,
        persona_id=persona_id,
        draft_id=draft_id,
        request_id="request-1",
        persona_version="v",
        hook=hook,
        body=body,
        text=f"{hook}\n\n{body}".strip(),
        language=language,
        model="m",
        prompt_tokens=10,
        completion_tokens=5,
        latency_ms=3,
    )


def passing_quality() -> Quality:
    return Quality(score=0.9, threshold=0.72, passed=True, features=())


def decided(of: DraftGenerated, *reasons: str) -> DraftDecided:
    """Return the decision on a draft: rejected for these reasons, accepted where there are none."""
    return DraftDecided(
        event_id=f"{of.draft_id}-decided",
        occurred_at=NOW,
        persona_id=of.persona_id,
        draft=of,
        quality=passing_quality(),
        decision="rejected" if reasons else "accepted",
        reasons=reasons,
        embedding_model="ngram",
    )


def rows(source: TopicPartition, records: Sequence[Record], first_offset: int = 0) -> RowBatch[Any]:
    return RowBatch(source, [Row(first_offset + place, record) for place, record in enumerate(records)])


def free_budgets() -> Budgets:
    """Budgets without limits, that nothing was spent of."""
    return budgets(BudgetLimits(None, None))


@dataclass
class SettableClock:
    """A clock that stands where the test sets it."""

    now: datetime = NOW

    def __call__(self) -> datetime:
        return self.now


def budgets(limits: BudgetLimits, totals: Sequence[SpendTotal] = (), clock: SettableClock | None = None) -> Budgets:
    """Budgets of all personas together, of which these totals were spent."""
    spend = SpendDirectory(ListedTail([(each.total_id, each) for each in totals]), clock=clock or SettableClock())
    return Budgets(spend, BudgetPolicy.of(Settings()), limits)


async def finished_effects(
    stage: DrivenStage[Any], source: TopicPartition = REQUESTS, deadline_s: float = 20.0
) -> Emitted:
    """Flush until nothing of a partition is under way any more; return the effects of all flushes together."""
    together = Emitted()
    async with asyncio.timeout(deadline_s):
        while True:
            is_open = stage.unfinished(source) is not None
            effects = await stage.flush()
            together.state += effects.state
            together.outputs += effects.outputs
            for each, refused in effects.rejections.items():
                together.rejections.setdefault(each, []).extend(refused)
            if not is_open:
                return together
            await asyncio.sleep(0.005)


def outputs_to(effects: Emitted, topic: str) -> list[Record]:
    return [output.record for output in single(effects.outputs) if output.topic == topic]


def spent_today(micros: int) -> SpendTotal:
    """Return what the sample persona spent in the hour of NOW."""
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
