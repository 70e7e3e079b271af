"""A text as Threads counts it: its length, where an emoji is as many as its UTF-8 bytes, and its links."""

from __future__ import annotations

import re

import regex

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
_GRAPHEME = regex.compile(r"\X")
_MAKES_AN_EMOJI = regex.compile(r"[\p{Extended_Pictographic}\p{Regional_Indicator}\p{Emoji_Modifier}\u20e3]")
_EMOJI_BEFORE_A_BREAK = re.compile(rf"[ \t]*(?:{_EMOJI.pattern})+(?=[\s.,!?…]|$)")
MAX_LINKS = 5
"""Greatest number of links of a post (Threads API); some clients report refusals from 4."""
_DOMAINS = (
    "com|org|net|edu|gov|io|co|ai|app|dev|me|info|biz|shop|store|blog|link|ly|gg|tv|fm|so|to|news|xyz|site|online|"
    "page|eu|uk|us|ca|de|at|ch|es|mx|ar|ua|pl|fr|it|nl|pt|br|in|jp"
)
LINK_PATTERN = (
    r"\b(?:https?|ftp)://[^\s<>\"')\]]+"
    r"|\bwww\.[^\s<>\"')\]]+"
    rf"|(?<![\w@.-])(?:[a-z0-9](?:[a-z0-9-]{{0,61}}[a-z0-9])?\.){{1,4}}(?:{_DOMAINS})(?![\w@-])(?:/[^\s<>\"')\]]*)?"
)
"""What readers and platforms take for a link, to be matched without regard to case."""
AFTER_A_LINK = ".,;:!?"
"""Signs at the end of a link that are the sentence's."""
_LINK = re.compile(
    LINK_PATTERN
    + r"|\]\((?!https?://|www\.)[^\s()]{1,500}\)",  # the address of a Markdown link that none of the above would find
    re.IGNORECASE,
)
_SIGN_OF_A_LINK = re.compile(r"\.\S|://|\]\(")  # no link is without one, and most texts are


def threads_length(text: str) -> int:
    """Return the length of a text as Threads counts it, in characters.

    An emoji, which is a whole grapheme with its joiners and variation selectors, counts as its UTF-8 bytes; signs that
    may be shown either way, such as (c), are counted as emoji, so that the result is never too small.
    """
    if text.isascii():
        return len(text)
    graphemes: list[str] = _GRAPHEME.findall(text)
    return sum(_utf8_bytes(each) if _is_emoji(each) else len(each) for each in graphemes)


def _is_emoji(grapheme: str) -> bool:
    return not grapheme.isascii() and _MAKES_AN_EMOJI.search(grapheme) is not None


def _utf8_bytes(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))


def without_emoji(text: str) -> str:
    """Return the text without emoji and without the blanks that they leave behind."""
    return _EMOJI.sub("", _EMOJI_BEFORE_A_BREAK.sub("", text)).strip()


def links_in(text: str) -> list[str]:
    """Return the links of a text in order, those of Markdown by their address."""
    if not _SIGN_OF_A_LINK.search(text):
        return []
    found = [match.group(0) for match in _LINK.finditer(text)]
    return [each[2:-1] if each.startswith("](") else each.rstrip(AFTER_A_LINK) for each in found]
