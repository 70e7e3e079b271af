"""What is chosen for a draft from outside of this room: the hook style it is asked in, and the best of its hooks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from agents.learning.foretold import Foretold
from agents.personas.persona import Persona
from schemas.records import HookChoice


class StyleChoices(Protocol):
    """Chooses hook styles."""

    async def refresh(self) -> None:
        """Learn what is in force; raises `Unavailable` when that can't be done."""
        ...

    def of(self, persona: Persona, draft_id: str) -> HookChoice:
        """Return the choice for a draft, one of the persona's styles."""
        ...

    async def close(self) -> None:
        """Disconnect."""
        ...


class HookJudge(Protocol):
    """Judges the candidates for a draft's hook."""

    def knows(self, language: str) -> bool:
        """Tell whether hooks in a language (ISO 639-1) can be judged."""
        ...

    def strengths(self, hooks: Sequence[str]) -> list[float]:
        """Return the strength of each hook: differences count."""
        ...

    def foretold(self, hook: str, others: Sequence[str]) -> Foretold:
        """Return what is foretold of a hook among others."""
        ...
