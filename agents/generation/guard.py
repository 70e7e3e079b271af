"""The guard: what makes an attempt unusable, and what makes another attempt worth its price."""

from __future__ import annotations

from agents.generation.assignment import Assignment
from agents.guard.findings import GuardPolicy, text_findings
from agents.scoring.features import language_match
from agents.scoring.quality import GATES
from agents.scoring.repetition import coherence
from agents.scoring.words import words_of

LEAST_LANGUAGE_MATCH = GATES["language_match"]
MIN_HOOK_WORDS = 3
MIN_BODY_WORDS = 5
WEAK_COHERENCE = 0.5
_STEM_LETTERS = 4


class DraftGuard:
    """Judge whole texts."""

    async def judge(self, assignment: Assignment, body: str, text: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Return what forbids a text and what speaks for a revision."""
        problems = body_problems(body, text, assignment)
        return tuple(problems), () if problems else tuple(text_doubts(text, assignment))


def hook_problems(hook: str, assignment: Assignment) -> list[str]:
    """Return why a hook can't be used; empty when it can."""
    if not hook:
        return ["no whole sentence came"]
    problems = _forbidden(hook, assignment)
    if len(words_of(hook)) < MIN_HOOK_WORDS:
        problems.append(f"only {len(words_of(hook))} words")
    if any(words_of(hook) == words_of(example.hook) for example in assignment.persona.examples):
        problems.append("the hook of an example")
    return problems


def body_problems(body: str, text: str, assignment: Assignment) -> list[str]:
    """Return why a body, or the text that it makes with its hook, can't be used; empty when it can."""
    if not body:
        return ["no whole sentence came"]
    problems = _forbidden(text, assignment)
    if len(words_of(body)) < MIN_BODY_WORDS:
        problems.append(f"only {len(words_of(body))} words")
    if any(words_of(body) == words_of(example.body) for example in assignment.persona.examples):
        problems.append("the body of an example")
    match, reason = language_match(text, assignment.language)
    if match < LEAST_LANGUAGE_MATCH:
        problems.append(f"language: {reason}")
    return problems


def _forbidden(text: str, assignment: Assignment) -> list[str]:
    policy = GuardPolicy(banned_phrases=assignment.persona.banned_phrases)
    return [f"{each.rule} {each.detail}" for each in text_findings(text, policy)]


def text_doubts(text: str, assignment: Assignment) -> list[str]:
    """Return why another attempt may be better, although this one can be used."""
    doubts = []
    value, reason = coherence(text)
    if value < WEAK_COHERENCE:
        doubts.append(reason)
    if not on_topic(text, assignment.brief):
        doubts.append("no word of the brief")
    return doubts


def on_topic(text: str, brief: str) -> bool:
    """Tell whether the text has a word of the brief, by its first four letters; a brief of short words passes."""
    wanted = {word[:_STEM_LETTERS] for word in words_of(brief) if len(word) >= _STEM_LETTERS}
    return not wanted or bool(wanted & {word[:_STEM_LETTERS] for word in words_of(text)})
