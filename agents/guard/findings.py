"""Findings: what forbids a post or a reply to go out; a part that can't be checked is refused, never let through."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from agents.guard.personal_data import personal_data
from agents.guard.threads_counts import MAX_LENGTH, MAX_LINKS, links_in, threads_length
from agents.guard.untrusted import hidden_in, without_hidden

MAX_REPLY_LENGTH = 280
MAX_CHECKED_LENGTH = 10_000  # longer texts are refused for their length without a look at them
_SEPARATOR = "\n\n"

PostPart = Literal["hook", "body", "call_to_action", "disclosure", "reply", "post"]
Rule = Literal[
    "length", "empty", "links", "hidden text", "unfilled slot", "banned phrase", "prompt echo", "personal data"
]
_BLANKS = re.compile(r"\s+")
_SLOT = re.compile(
    r"\$\{[^{}\n]{0,60}\}"  # ${name}
    r"|\{\{?[^{}\n]{0,60}\}\}?"  # {name}, {{name}}
    r"|\[(?!\d|sic\]|\.{3}\]|…\])[^\[\]\n]{1,60}\](?!\()"  # [topic], but [2], [sic] and [link](address)
    r"|<(?!/?\d)[^\W\d_][\w /'’-]{0,40}>"  # <product>, but <3
    r"|(?<![\w%])%(?:\(\w+\))?[sdf](?!\w)"  # %s, %(name)s
    r"|\bINSERT [A-Z]+"
    r"|@(?:your_?name|user_?name|handle)\b"
    r"|\bX{3,}\b|_{3,}"
    r"|\b(?i:lorem ipsum)\b",
)
_SIGNS_OF_SLOTS = ("{", "[", "<", "%", "@", "___", "XXX", "INSERT ")  # no slot is without one, and most texts are
_SMALL_TALK = (
    r"[ \t]*(?:sure|certainly|of course|absolutely|okay|got it)\b[^.\n]{0,12}\bhere(?:'s| is| are)\b",
    r"[ \t]*(?:sure|certainly|of course|absolutely|okay|here(?:'s| is| are))\b[^.\n]{0,60}:\s*$",
    r"[ \t]*here(?:'s| is| are) (?:an?|your|the|\d+|some|two)\b(?: \S+){0,3} (?:post|hook|draft)s? (?:about|for)\b",
    r"[ \t]*¡?(?:claro|por supuesto)\b[^.\n]{0,12}\baquí (?:tienes|está|va|van)\b",
    r"[ \t]*¡?(?:claro|por supuesto|aquí (?:tienes|está|va|van))\b[^.\n]{0,60}:\s*$",
    r"[ \t]*(?:klar|natürlich|gerne?)\b[^.\n]{0,12}\bhier (?:ist|sind|kommt|kommen)\b",
    r"[ \t]*(?:klar|natürlich|gerne?|hier (?:ist|sind|kommt|kommen))\b[^.\n]{0,60}:\s*$",
    r"[ \t]*(?:звісно|звичайно|авжеж)\b[^.\n]{0,12}\bось\b",
    r"[ \t]*(?:звісно|звичайно|авжеж|ось)\b[^.\n]{0,60}(?:допис|пост\b|чернетк|гачок)[^.\n]{0,30}:\s*$",
)
_ANYWHERE = (
    r"\blet me know if you(?:'d| would)? (?:like|want|need)\b[^.\n]{0,40}(?:change|another|version|adjust|edit)",
    r"\bas an? (?:ai|artificial intelligence|language model)\b|\bi(?:'m| am) (?:just )?an? (?:ai|language model)\b",
    r"\bi (?:can't|cannot|am unable to) (?:help|assist|write|create)\b",
    r"\bcomo (?:una? )?(?:ia|inteligencia artificial|modelo de lenguaje)\b",
    r"\bals (?:eine? )?(?:ki|künstliche intelligenz|sprachmodell|ki-sprachmodell)\b",
    r"\bяк (?:мовна модель|штучний інтелект|модель штучного інтелекту)\b",
    r"<\|?(?:im_start|im_end|endoftext)\|?>|\bwrites short posts for\b",
)
_LABELS = (
    r"[ \t]*(?:a post about|write a post|write \d+ (?:different )?hooks)\b[^.!?\n]{0,80}:",
    r"[ \t]*(?:brief|topic|hook|body|first line|rest|user|assistant|system)\s?:",
    r"[ \t]*(?:tema|gancho|cuerpo|usuario|asistente|thema|aufhänger|тема|гачок|користувач)\s?:",
)
_FOUND_ANYWHERE = re.compile("|".join(_ANYWHERE), re.IGNORECASE)
_AT_LINE_START = re.compile("|".join((*_SMALL_TALK, *_LABELS)), re.IGNORECASE | re.MULTILINE)
_LINE_START = re.compile(r"^", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class PostParts:
    """The parts of a post as they go out, and a reply that goes out apart from it; a part that is None has none."""

    hook: str
    body: str
    call_to_action: str | None = None
    reply: str | None = None
    disclosure: str | None = None

    @property
    def text(self) -> str:
        """Return the post: its parts but the reply, with blank lines between."""
        parts = (self.hook, self.body, self.call_to_action, self.disclosure)
        return _SEPARATOR.join(part for part in parts if part)


@dataclass(frozen=True, slots=True)
class GuardPolicy:
    """What is allowed: lengths as Threads counts them, links of a post or a reply, and phrases that are not."""

    banned_phrases: Sequence[str] = ()
    max_links: int = MAX_LINKS
    links_allowed: bool = True
    max_length: int = MAX_LENGTH
    max_reply_length: int = MAX_REPLY_LENGTH


@dataclass(frozen=True, slots=True)
class Finding:
    """One reason for which a part must not go out; as text it is a reason that a person understands."""

    part: PostPart
    rule: Rule
    detail: str

    def __str__(self) -> str:
        return f"{self.part}: {self.rule} {self.detail}"


def findings(parts: PostParts, policy: GuardPolicy) -> tuple[Finding, ...]:
    """Return everything that forbids the parts, in the order of parts and rules; empty when they may go out."""
    named: tuple[tuple[PostPart, str | None], ...] = (
        ("hook", parts.hook),
        ("body", parts.body),
        ("call_to_action", parts.call_to_action),
        ("disclosure", parts.disclosure),
        ("reply", parts.reply),
    )
    found = [finding for part, text in named if text is not None for finding in _of_part(part, text, policy)]
    found += _of_whole("post", parts.text, policy.max_length, policy)
    if parts.reply is not None:
        found += _of_whole("reply", parts.reply, policy.max_reply_length, policy)
    if not parts.text.strip() and not (parts.reply or "").strip():
        found.append(Finding("post", "empty", "of any text to check"))
    return tuple(found)


def text_findings(text: str, policy: GuardPolicy) -> tuple[Finding, ...]:
    """Return everything that forbids a post that is known as a whole only."""
    return (*_of_part("post", text, policy), *_of_whole("post", text, policy.max_length, policy))


def _of_part(part: PostPart, text: str, policy: GuardPolicy) -> Iterator[Finding]:
    """Yield what is wrong within one part; phrases are looked for as a reader sees them."""
    if len(text) > MAX_CHECKED_LENGTH:
        return
    hidden = hidden_in(text)
    if hidden:
        yield Finding(part, "hidden text", ", ".join(hidden))
    seen = without_hidden(text)
    for slot in open_slots(seen):
        yield Finding(part, "unfilled slot", repr(slot))
    for phrase in banned_in(seen, policy.banned_phrases):
        yield Finding(part, "banned phrase", repr(phrase))
    echo = prompt_echo(seen)
    if echo:
        yield Finding(part, "prompt echo", repr(echo[:80]))
    for kind in personal_data(seen):
        yield Finding(part, "personal data", kind)


def _of_whole(part: PostPart, text: str, limit: int, policy: GuardPolicy) -> Iterator[Finding]:
    """Yield what is wrong with a whole text: it is too long, or it has too many links."""
    if len(text) > MAX_CHECKED_LENGTH:
        yield Finding(part, "length", f"over {MAX_CHECKED_LENGTH} characters of {limit}")
        return
    length = threads_length(text)
    if length > limit:
        yield Finding(part, "length", f"{length} characters of {limit}")
    links = len(links_in(text))
    allowed = policy.max_links if policy.links_allowed else 0
    if links > allowed:
        yield Finding(part, "links", f"{links} of {allowed}")


def banned_in(text: str, phrases: Sequence[str]) -> list[str]:
    """Return the phrases that occur in the text as whole words, whatever the case and the blanks."""
    flat = _flat(text)
    return [phrase for phrase in phrases if _occurs(_flat_phrase(phrase), flat)]


def _occurs(phrase: str, flat: str) -> bool:
    return phrase in flat and re.search(rf"(?<!\w){re.escape(phrase)}(?!\w)", flat) is not None


@lru_cache(maxsize=4096)
def _flat_phrase(phrase: str) -> str:
    return _flat(phrase)


def _flat(text: str) -> str:
    return _BLANKS.sub(" ", text.casefold()).strip()


def open_slots(text: str) -> list[str]:
    """Return template slots that nobody filled, such as `{name}`, `[topic]`, `<product>` or `%s`."""
    if not any(sign in text for sign in _SIGNS_OF_SLOTS) and "lorem" not in text.casefold():
        return []
    return [found.group(0) for found in _SLOT.finditer(text)]


_SIGNS_OF_AN_ECHO = ("let me know", "as a", "i am", "i'm ", "i can", "como ", "als ", "як ", "<", "writes short")
"""What every text has that `_ANYWHERE` is found in; most texts have none, and a look for them is quick."""


def prompt_echo(text: str) -> str | None:
    """Return the first place where the text repeats a prompt or speaks as a model; None where it does not."""
    plain = text.replace("’", "'")
    starts = (_AT_LINE_START.match(plain, line.start()) for line in _LINE_START.finditer(plain))
    found = next(filter(None, starts), None)
    if found is None and _has_a_sign(plain.casefold()):
        found = _FOUND_ANYWHERE.search(plain)
    return found.group(0).strip() if found else None


def _has_a_sign(folded: str) -> bool:
    return any(sign in folded for sign in _SIGNS_OF_AN_ECHO)
