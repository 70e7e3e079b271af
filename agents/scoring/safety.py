"""What must never be published: unfilled slots, banned phrases, the model's own prompt or its small talk."""

from __future__ import annotations

import re
from collections.abc import Sequence

_SLOT = re.compile(
    r"\{[^{}\n]{0,60}\}"  # {name}
    r"|\[(?!\d)[^\[\]\n]{1,60}\](?!\()"  # [topic]
    r"|<[A-Za-z][\w /-]{0,40}>"  # <product>
    r"|\bINSERT [A-Z]+"
    r"|\bX{3,}\b|_{3,}"
    r"|\blorem ipsum\b",
)
_ECHO = re.compile(
    r"^\s*(?:sure|certainly|of course|here(?:'s| is| are)|okay)\b[^.\n]{0,60}(?:post|hook|draft|thread|:)"
    r"|\bas an? (?:ai|artificial intelligence|language model)\b|\bi(?:'m| am) an? (?:ai|language model)\b"
    r"|\bi (?:can't|cannot|am unable to) (?:help|assist|write|create)\b"
    r"|^\s*(?:a post about|write a post|brief|topic|hook|body|first line|rest|user|assistant|system)\b[^.!?\n]{0,80}:"
    r"|<\|?(?:im_start|im_end|endoftext)\|?>|\bwrites short posts for\b",
    re.IGNORECASE | re.MULTILINE,
)
_BLANKS = re.compile(r"\s+")


def open_slots(text: str) -> list[str]:
    """Return template slots that nobody filled, such as `{name}` or `[topic]`."""
    return _SLOT.findall(text)


def banned_in(text: str, phrases: Sequence[str]) -> list[str]:
    """Return the phrases that occur in the text as whole words, whatever the case and the blanks."""
    flat = _BLANKS.sub(" ", text.casefold())
    return [phrase for phrase in phrases if re.search(rf"(?<!\w){re.escape(_flat(phrase))}(?!\w)", flat)]


def _flat(phrase: str) -> str:
    return _BLANKS.sub(" ", phrase.casefold()).strip()


def prompt_echo(text: str) -> str | None:
    """Return the first place where the text repeats a prompt or speaks as a model; None where it does not."""
    found = _ECHO.search(text)
    return found.group(0).strip() if found else None


def dangers(text: str, banned_phrases: Sequence[str]) -> list[str]:
    """Return every reason for which the text must not be published; empty when there is none."""
    found = [f"unfilled slot {slot!r}" for slot in open_slots(text)]
    found += [f"banned phrase {phrase!r}" for phrase in banned_in(text, banned_phrases)]
    echo = prompt_echo(text)
    if echo:
        found.append(f"prompt echo {echo!r}")
    return found
