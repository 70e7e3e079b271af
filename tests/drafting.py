"""What tests of the generation role build: personas from a list, requests, drafts and batches."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from agents.personas.directory import PersonaDirectory
from agents.personas.persona import Persona
from agents.personas.persona_file import read_personas
from agents.personas.persona_topic import persona_applied
from agents.personas.sample_files import SAMPLES
from schemas.records import DraftGenerated, PersonaApplied, PersonaRequest, Quality, Record
from streams.engine.batch import Row, RowBatch, TopicPartition
from streams.engine.stage import Effects
from tests.single_outputs import single

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
REQUESTS = TopicPartition("persona.requests", 0)
SCORED = TopicPartition("drafts.scored", 0)


class ListedPersonas:
    """A persona log that is a list; `append` makes news."""

    def __init__(self, personas: Sequence[Persona] = ()) -> None:
        self.pending = [persona_applied(each, NOW) for each in personas]
        self.readings = 0

    async def news(self) -> Sequence[PersonaApplied]:
        self.readings += 1
        news, self.pending = self.pending, []
        return news

    async def close(self) -> None:
        """Nothing is open."""


def samples() -> list[Persona]:
    return read_personas(SAMPLES)


def sample_directory() -> PersonaDirectory:
    return PersonaDirectory(ListedPersonas(samples()))


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


def rows(source: TopicPartition, records: Sequence[Record], first_offset: int = 0) -> RowBatch:
    return RowBatch(source, [Row(first_offset + place, record) for place, record in enumerate(records)])


def outputs_to(effects: Effects, topic: str) -> list[Record]:
    return [output.record for output in single(effects.outputs) if output.topic == topic]
