"""The persona directory: what a worker knows about the personas in force, kept up with their topic."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

from pydantic import ValidationError

from agents.personas.persona import Persona
from schemas.records import PersonaApplied
from streams.errors import RecordFault
from streams.kafka.tailed_table import Tail, TailedTable

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class AppliedPersona:
    """A persona with the version it was applied as."""

    persona: Persona
    version: str


class PersonaDirectory(TailedTable[PersonaApplied]):
    """Find personas by id; the newest record of each is in force.

    A stage refreshes it before each batch, so a persona that was applied before a request was sent is always found,
    and one changed or removed meanwhile is so without a restart.
    """

    def __init__(self, tail: Tail[PersonaApplied], monotonic: Callable[[], float] = time.monotonic) -> None:
        super().__init__(tail, monotonic)
        self._known: dict[str, AppliedPersona] = {}

    def put(self, record: PersonaApplied) -> None:
        """Put a persona in force; one whose definition is not usable leaves the version before in force."""
        try:
            persona = Persona.model_validate_json(record.definition)
        except ValidationError:
            logger.exception(
                "Persona %r version %s on the topic is not usable; the version before stays in force. "
                "Apply it again with `threads-agent personas apply`",
                record.persona_id,
                record.version,
            )
            return
        self._known[record.persona_id] = AppliedPersona(persona, record.version)

    def drop(self, key: bytes) -> None:
        """Put a persona out of force."""
        self._known.pop(key.decode(errors="replace"), None)

    def known(self) -> list[AppliedPersona]:
        """Return all personas in force, by id."""
        return [self._known[persona_id] for persona_id in sorted(self._known)]

    def find(self, persona_id: str) -> AppliedPersona | None:
        """Return the persona in force, None where the topic has none of that id."""
        return self._known.get(persona_id)

    def require(self, persona_id: str) -> AppliedPersona:
        """Return the persona in force.

        Raises:
            RecordFault: the topic has none of that id, or had one that was removed.
        """
        found = self.find(persona_id)
        if found is None:
            raise RecordFault(f"persona {persona_id!r} is unknown; apply it with `threads-agent personas apply`")
        return found
