"""The requests whose bill is compared: briefs of English personas, of which a stated share come again."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import datetime

from agents.generation.admission import assignments_of
from agents.generation.assignment import Assignment
from agents.personas.directory import AppliedPersona
from agents.personas.persona import Persona
from agents.personas.persona_file import SAMPLES, read_personas
from schemas.records import PersonaRequest
from streams.identity import derived_id

LANGUAGE = "en"  # the metered model writes English


def requests(count: int, repeated_share: float, seed: int, at: datetime) -> list[PersonaRequest]:
    """Return requests in a mixed order; a repeated one has an event id of its own and the same brief as another."""
    random_ = random.Random(seed)
    distinct = max(round(count * (1 - repeated_share)), 1)
    questions = [_question(number, personas()) for number in range(distinct)]
    chosen = questions + [random_.choice(questions) for _ in range(count - distinct)]
    random_.shuffle(chosen)
    return [
        PersonaRequest(
            event_id=derived_id("savings", str(seed), str(number)),
            occurred_at=at,
            persona_id=persona_id,
            brief=brief,
            language=LANGUAGE,
        )
        for number, (persona_id, brief) in enumerate(chosen)
    ]


def personas() -> list[Persona]:
    """Return the sample personas that write English."""
    return [persona for persona in read_personas(SAMPLES) if LANGUAGE in persona.languages]


def _question(number: int, of: Sequence[Persona]) -> tuple[str, str]:
    persona = of[number % len(of)]
    return persona.persona_id, f"{persona.topics[number % len(persona.topics)]} on day {number + 1}"


def assignments(wanted: Sequence[PersonaRequest]) -> list[Assignment]:
    """Return the drafts that requests ask for, in their order."""
    applied = {persona.persona_id: AppliedPersona(persona, persona.version()) for persona in personas()}
    return [each for request in wanted for each in assignments_of(request, applied[request.persona_id], None)]
