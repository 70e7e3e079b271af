"""Length as Threads counts it: a character is one, an emoji is as many as its UTF-8 bytes."""

from __future__ import annotations

import re

MAX_LENGTH = 500
"""Greatest length of a post (Threads API, text field)."""

_EMOJI = re.compile(
    "["
    "\u00a9\u00ae\u203c\u2049\u2122\u2139"
    "\u2194-\u21aa\u231a-\u231b\u2328\u23cf\u23e9-\u23fa\u24c2"
    "\u25aa-\u25ab\u25b6\u25c0\u25fb-\u25fe\u2600-\u27bf\u2934-\u2935"
    "\u2b05-\u2b07\u2b1b-\u2b1c\u2b50\u2b55\u3030\u303d\u3297\u3299"
    "\U0001f000-\U0001faff"
    "\u200d\u20e3\ufe0f\U000e0020-\U000e007f"  # what joins and varies emoji: part of the same emoji
    "]"
)
_EMOJI_BEFORE_A_BREAK = re.compile(rf"[ \t]*(?:{_EMOJI.pattern})+(?=[\s.,!?…]|$)")


def threads_length(text: str) -> int:
    """Return the length of a text as Threads counts it, in characters.

    Every code point of an emoji, its joiners and variation selectors included, counts as its UTF-8 bytes; signs that
    may be shown either way, such as (c), are counted as emoji, so that the result is never too small.
    """
    return len(text) + sum(len(emoji.encode()) - 1 for emoji in _EMOJI.findall(text))


def without_emoji(text: str) -> str:
    """Return the text without emoji and without the blanks that they leave behind."""
    return _EMOJI.sub("", _EMOJI_BEFORE_A_BREAK.sub("", text)).strip()
