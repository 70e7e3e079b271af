"""Instruction echo: a text that repeats the instructions which its model was given."""

from __future__ import annotations

from functools import lru_cache

from agents.generation.asking.prompts import BODY_TASK, HOOK_TASK, KEPT_INSTRUCTIONS, REVISE_TASK, rules
from agents.personas.persona import Persona
from agents.scoring.words import words_of

ECHO_WORDS = 8  # in a row; a post shares shorter runs with the description of its own voice and readers

Run = tuple[str, ...]


def instruction_echo(text: str, persona: Persona, language: str) -> str | None:
    """Return the first run of eight words that stands in the instructions too; None where there is none."""
    known = _runs_of_instructions(persona, language)
    return next((" ".join(run) for run in _runs(text) if run in known), None)


@lru_cache(maxsize=KEPT_INSTRUCTIONS)
def _runs_of_instructions(persona: Persona, language: str) -> frozenset[Run]:
    lines = [*rules(persona, language), HOOK_TASK, BODY_TASK, REVISE_TASK]
    return frozenset(run for line in lines for run in _runs(line))


def _runs(text: str) -> list[Run]:
    words = words_of(text)
    return [tuple(words[start : start + ECHO_WORDS]) for start in range(len(words) - ECHO_WORDS + 1)]
