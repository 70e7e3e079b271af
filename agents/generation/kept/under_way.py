"""Requests under way: their finished calls and the persona they began with, kept so that a crash repeats neither."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import TypeAdapter

from agents.generation.asking.calls import Call
from agents.personas.directory import AppliedPersona
from agents.personas.persona import Persona


@dataclass(frozen=True, slots=True)
class UnderWay:
    """A request that was begun: the version and definition of its persona, and its finished calls by id."""

    persona_version: str
    definition: str
    calls: dict[str, Call]

    @property
    def applied(self) -> AppliedPersona:
        """Return the persona that the request began with, whatever is in force by now."""
        return AppliedPersona(Persona.model_validate_json(self.definition), self.persona_version)

    def encode(self) -> bytes:
        """Return it as bytes of the state's changelog."""
        return _ADAPTER.dump_json(self)


_ADAPTER = TypeAdapter(UnderWay)


def decoded(value: bytes) -> UnderWay:
    """Return what `encode` wrote."""
    return _ADAPTER.validate_json(value)
