"""How many tokens a text will be, estimated without a tokenizer, by its scripts and the pieces of its words."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence

MESSAGE_TOKENS = 3  # role and separators of a message; source: OpenAI's cookbook on counting tokens
REPLY_TOKENS = 3  # what primes the answer

_PIECES = re.compile(
    r"(?P<latin>[^\W\d_\u0370-\uffff\U00010000-\U0010ffff]+)"
    r"|(?P<cyrillic>[\u0400-\u052f]+)"
    r"|(?P<digits>\d+)"
    r"|(?P<cjk>[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af])"
    r"|(?P<letters>[^\W\d_])"
    r"|(?P<newlines>\s*\n\s*)"
    r"|(?P<spaces>\s+)"
    r"|(?P<marks>[!-/:-@\[-`{-~]+)"
    r"|(?P<symbols>.)",
    re.DOTALL,
)
_WHOLE_LATIN = 7
_LATIN_PIECE = 4.5
_CYRILLIC_PIECE = 2.6
_MARKS_PIECE = 2.5
_WORDS = ("latin", "cyrillic")
_WORD_FACTORS = {"pl": 1.4, "ru": 0.8}  # measured as below, on six and seven posts


def estimated_tokens(text: str, language: str | None = None) -> int:
    """Return the estimated tokens of a text in the tokenizer of OpenAI's models since gpt-4o (o200k_base).

    Measured against that tokenizer, 2026-11: posts of 60 to 80 characters in English, German, Spanish and Ukrainian are
    off by 0 to 9 % in the median and at most 28 %, those of a language together by 1 to 8 %, persona files by at most
    11 %. `language` (ISO 639-1) helps where words are cut finer or coarser than their script suggests: without it
    Polish comes out a quarter too low, Russian a quarter too high. The usage that a call reports is exact.
    """
    factor = _WORD_FACTORS.get(language or "", 1.0)
    total = 0.0
    for piece in _PIECES.finditer(text):
        kind = piece.lastgroup or ""
        total += _weight(kind, piece.group()) * (factor if kind in _WORDS else 1.0)
    return math.ceil(total)


def estimated_prompt_tokens(messages: Sequence[Mapping[str, str]]) -> int:
    """Return the estimated prompt tokens of a chat completion with these messages."""
    return REPLY_TOKENS + sum(MESSAGE_TOKENS + estimated_tokens(each["content"]) for each in messages)


def _weight(kind: str, piece: str) -> float:
    if kind == "latin":
        accents = 0.0 if piece.isascii() else 0.5
        return 1.0 + accents + max(len(piece) - _WHOLE_LATIN, 0) / _LATIN_PIECE
    if kind == "cyrillic":
        return max(len(piece) / _CYRILLIC_PIECE, 1.0)
    if kind == "digits":
        return float(math.ceil(len(piece) / 3))
    if kind == "marks":
        return max(len(piece) / _MARKS_PIECE, 1.0)
    return {"cjk": 0.65, "letters": 0.6, "newlines": 1.0, "spaces": 0.0 if len(piece) == 1 else 1.0, "symbols": 1.5}[
        kind
    ]
