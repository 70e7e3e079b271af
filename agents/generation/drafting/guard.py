"""The guard: what makes an attempt unusable, and what makes another attempt worth its price."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from agents.generation.asking.prompts import instruction_echo
from agents.generation.assignment import Assignment
from agents.guard.findings import GuardPolicy, PostParts, findings
from agents.guard.moderation import Moderator
from agents.guard.threads_counts import links_in
from agents.scoring.quality import coherence
from agents.scoring.weights import GATES
from agents.scoring.words import language_match, words_of
from streams.errors import RecordFault

LEAST_LANGUAGE_MATCH = GATES["language_match"]
MIN_HOOK_WORDS = 3
MIN_BODY_WORDS = 5
WEAK_COHERENCE = 0.5
_STEM_LETTERS = 4
_SCHEME = re.compile(r"^(?:https?://)?(?:www\.)?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Written:
    """A hook and a body as they were written for an assignment."""

    assignment: Assignment
    hook: str
    body: str

    @property
    def parts(self) -> PostParts:
        """Return the parts of the post: with the persona's call to action and disclosure."""
        assignment = self.assignment
        return PostParts(self.hook, self.body, assignment.call_to_action, disclosure=assignment.persona.disclosure)


@dataclass(frozen=True, slots=True)
class Judgement:
    """What forbids a text, and what only makes a revision worth its price."""

    problems: tuple[str, ...] = ()
    doubts: tuple[str, ...] = ()


class DraftGuard:
    """Judge whole texts: by the rules, and what these let pass by the moderator."""

    def __init__(self, moderator: Moderator) -> None:
        self._moderator = moderator

    async def judge(self, texts: Sequence[Written]) -> list[Judgement]:
        """Return what is to be said of each text, in their order; the moderator is asked once for all.

        A text that the moderator refuses to look at has a problem; `Unavailable` and `SettingsError` pass through.
        """
        by_rules = [tuple(body_problems(each.hook, each.body, each.assignment)) for each in texts]
        passed = [each for each, problems in zip(texts, by_rules, strict=True) if not problems]
        moderated = iter(await self._moderated([each.parts.text for each in passed]))
        return [
            Judgement(problems) if problems else _judgement(each, next(moderated))
            for each, problems in zip(texts, by_rules, strict=True)
        ]

    async def _moderated(self, texts: Sequence[str]) -> list[tuple[str, ...]]:
        """Ask for all texts together; one by one when they are refused together, so that only the guilty one fails."""
        if not texts:
            return []
        try:
            found = await self._moderator.reasons(texts)
        except RecordFault as fault:
            if len(texts) == 1:
                return [(f"moderation: {fault}",)]
            return [(await self._moderated([text]))[0] for text in texts]
        if len(found) != len(texts):
            raise ValueError(f"expected the moderator to judge {len(texts)} texts, it judged {len(found)}")
        return found


def _judgement(written: Written, reasons: tuple[str, ...]) -> Judgement:
    return Judgement(reasons) if reasons else Judgement((), tuple(text_doubts(written.parts.text, written.assignment)))


def fixed_part_problems(assignment: Assignment) -> list[str]:
    """Return why the call to action or the disclosure can't go out: no writing mends that, so nothing is paid for."""
    parts = Written(assignment, "", "").parts
    return _forbidden(parts, assignment) if parts.text else []


def hook_problems(hook: str, assignment: Assignment) -> list[str]:
    """Return why a hook can't be used; empty when it can."""
    if not hook:
        return ["no whole sentence came"]
    problems = _forbidden(PostParts(hook, ""), assignment)
    problems += _invented_links("hook", hook, assignment) + _echoed("hook", hook, assignment)
    if len(words_of(hook)) < MIN_HOOK_WORDS:
        problems.append(f"only {len(words_of(hook))} words")
    if any(words_of(hook) == words_of(example.hook) for example in assignment.persona.examples):
        problems.append("the hook of an example")
    return problems


def body_problems(hook: str, body: str, assignment: Assignment) -> list[str]:
    """Return why a body, or the text that it makes with its hook and the fixed parts, can't be used; or nothing."""
    if not body:
        return ["no whole sentence came"]
    parts = Written(assignment, hook, body).parts
    problems = _forbidden(parts, assignment)
    problems += _invented_links("hook", hook, assignment) + _invented_links("body", body, assignment)
    problems += _echoed("body", body, assignment)
    if len(words_of(body)) < MIN_BODY_WORDS:
        problems.append(f"only {len(words_of(body))} words")
    if any(words_of(body) == words_of(example.body) for example in assignment.persona.examples):
        problems.append("the body of an example")
    match, reason = language_match(parts.text, assignment.language)
    if match < LEAST_LANGUAGE_MATCH:
        problems.append(f"language: {reason}")
    return problems


def _forbidden(parts: PostParts, assignment: Assignment) -> list[str]:
    policy = GuardPolicy(banned_phrases=assignment.persona.banned_phrases)
    return [str(each) for each in findings(parts, policy)]


def _echoed(part: str, text: str, assignment: Assignment) -> list[str]:
    echo = instruction_echo(text, assignment.persona, assignment.language)
    return [] if echo is None else [f"{part}: prompt echo {echo!r}, which stands in the instructions"]


def _invented_links(part: str, text: str, assignment: Assignment) -> list[str]:
    """Return a reason for each link that the brief does not name: models make up addresses that someone else owns."""
    links = links_in(text)
    if not links:
        return []
    named = {_address(link) for link in links_in(assignment.brief)}
    return [f"{part}: link {link[:80]!r} that the brief does not name" for link in links if _address(link) not in named]


def _address(link: str) -> str:
    return _SCHEME.sub("", link).rstrip("/").casefold()


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
