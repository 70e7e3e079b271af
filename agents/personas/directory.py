"""The persona directory: what a worker knows about the personas in force, kept up with their topic."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from pydantic import ValidationError

from agents.personas.persona import Persona
from schemas.records import PersonaApplied
from streams.errors import RecordFault

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class AppliedPersona:
    """A persona with the version it was applied as."""

    persona: Persona
    version: str


@dataclass(frozen=True, slots=True)
class PersonaRemoved:
    """A tombstone of the personas topic: the persona is in force no more."""

    persona_id: str


PersonaNews = PersonaApplied | PersonaRemoved


class PersonaLog(Protocol):
    """The personas topic, read on from where the last reading ended."""

    async def news(self) -> Sequence[PersonaNews]:
        """Return what was appended since the last call, up to the end of now; `Unavailable` when it can't be read."""
        ...

    async def close(self) -> None:
        """Disconnect; a later call of `news` connects again."""
        ...


class PersonaDirectory:
    """Find personas by id; the newest record of each is in force.

    `refresh` catches up with the topic. A stage calls it before each batch, so a persona that was applied before a
    request was sent is always found, and one changed or removed meanwhile is so without a restart. Several stages may
    share a directory.
    """

    def __init__(self, log: PersonaLog, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._log = log
        self._monotonic = monotonic
        self._read_at_s = float("-inf")
        self._known: dict[str, AppliedPersona] = {}
        self._lock = asyncio.Lock()

    async def refresh(self, *, max_age_s: float = 0.0) -> None:
        """Read the topic up to its present end, unless that was done in the last `max_age_s` seconds.

        Raises:
            Unavailable: the topic can't be read.
        """
        async with self._lock:
            started_s = self._monotonic()
            if started_s - self._read_at_s < max_age_s:
                return
            for record in await self._log.news():
                self._apply(record)
            self._read_at_s = started_s

    async def close(self) -> None:
        """Disconnect from the topic; what is known stays known."""
        async with self._lock:
            await self._log.close()

    def _apply(self, record: PersonaNews) -> None:
        if isinstance(record, PersonaRemoved):
            self._known.pop(record.persona_id, None)
            return
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
