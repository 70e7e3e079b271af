"""From what a model said to a hook and a body: whole sentences, no quotes around, no repetition, no unwanted emoji."""

from __future__ import annotations

import re

from agents.guard.threads_counts import threads_length, without_emoji
from agents.personas.persona import MAX_HOOK_LENGTH, EmojiPolicy
from agents.scoring.words import sentences_of, words_of

MAX_BODY_SENTENCES = 5
_LEAD = re.compile(r"^(?:[\s\"'“”„«*#>`\-–—]+|(?:hook|body|post|text)\s*:\s*)+", re.IGNORECASE)
_PREFACE = re.compile(r"^[^\n]{0,160}:\s*\n+")  # "Sure! Here's a post about naps:", and the post on the next line
_TRAIL = re.compile(r"[\s\"“”„»*`]+$")


def _bare(raw: str) -> str:
    return _TRAIL.sub("", _LEAD.sub("", raw.strip()))


def cleaned_hook(raw: str, *, cut_off: bool, emoji: EmojiPolicy) -> str:
    """Return the hook: the first whole sentence of the first line; empty when there is none.

    A line without an end of sentence is a hook too, unless the model was cut off within it.
    """
    lines = _bare(raw).splitlines()
    line = _bare(lines[0]) if lines else ""
    sentences = sentences_of(line)
    hook = sentences[0] if sentences else ("" if cut_off else line)
    hook = without_emoji(hook) if emoji == "none" else hook
    return hook if len(hook) <= MAX_HOOK_LENGTH else ""


def cleaned_body(raw: str, *, hook: str, room: int, cut_off: bool, emoji: EmojiPolicy) -> str:
    """Return the body: whole sentences that say something new and fit into `room` (characters as Threads counts them).

    A sentence that repeats the hook or an earlier one is left out, a first line that announces the rest too, and a rest
    without an end is cut off.
    """
    text = _bare(_PREFACE.sub("", raw.strip()))
    sentences = sentences_of(text) or ([] if cut_off or not text else [text.splitlines()[0]])
    said = {_flat(hook)}
    kept: list[str] = []
    for sentence in sentences:
        plain = without_emoji(sentence) if emoji == "none" else sentence
        if _flat(plain) in said or not words_of(plain) or sentence.count('"') % 2:
            continue
        if len(kept) == MAX_BODY_SENTENCES or threads_length(" ".join([*kept, plain])) > room:
            break
        said.add(_flat(plain))
        kept.append(plain)
    return " ".join(kept)


def _flat(text: str) -> str:
    return " ".join(words_of(text))
