"""Bursts: assignments that came together and have the same instructions, so that one structured call answers them."""

from __future__ import annotations

from collections.abc import Iterable

from agents.generation.assignment import Assignment

Burst = tuple[Assignment, ...]
"""One or more assignments of one persona, version, language and tier."""


def bursts_of(assignments: Iterable[Assignment], most: int) -> list[Burst]:
    """Return the assignments as bursts of at most `most`, each in the order in which they came."""
    alike: dict[tuple[str, str, str, bool], list[Assignment]] = {}
    for each in assignments:
        key = (each.persona.persona_id, each.persona_version, each.language, each.downgraded)
        alike.setdefault(key, []).append(each)
    return [tuple(group[start : start + most]) for group in alike.values() for start in range(0, len(group), most)]
