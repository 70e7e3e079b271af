"""The assignment: one draft to write, with all that the writer has to know, and the bursts that are asked together."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from agents.personas.persona import Persona
from schemas.records import HookChoice
from streams.identity import derived_id


@dataclass(frozen=True, slots=True)
class Assignment:
    """One draft of a request: `number` counts from 0, `brief` and `trend` are one line of data each.

    `downgraded` asks for the cheap models alone, because a budget is nearly used up. `left_out` tells what of the
    request the writer is not shown, and why. `choice` is the hook style asked for; None leaves it to the writer.
    """

    request_id: str
    number: int
    persona: Persona
    persona_version: str
    brief: str
    language: str
    trend: str | None = None
    downgraded: bool = False
    left_out: tuple[str, ...] = ()
    choice: HookChoice | None = None

    @property
    def draft_id(self) -> str:
        """Return the id of the draft: the same for the same request and number, whenever it is written."""
        return derived_id(self.request_id, "draft", str(self.number))

    @property
    def call_to_action(self) -> str | None:
        """Return the call to action: one of the persona's in turn, by the draft's id; None where it has none."""
        offers = self.persona.calls_to_action_in(self.language)
        return offers[UUID(self.draft_id).int % len(offers)] if offers else None


Burst = tuple[Assignment, ...]
"""One or more assignments of one persona, version, language and tier."""


def bursts_of(assignments: Iterable[Assignment], most: int) -> list[Burst]:
    """Return the assignments as bursts of at most `most`, each in the order in which they came."""
    alike: dict[tuple[str, str, str, bool], list[Assignment]] = {}
    for each in assignments:
        key = (each.persona.persona_id, each.persona_version, each.language, each.downgraded)
        alike.setdefault(key, []).append(each)
    return [tuple(group[start : start + most]) for group in alike.values() for start in range(0, len(group), most)]
