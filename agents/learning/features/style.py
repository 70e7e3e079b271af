"""Style: what of a hook's form has a name, so that a reason can be told."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from agents.learning.evidence.headline_tests import Floats

_WORD = re.compile(r"[\w']+")
_PARTS = re.compile(r"[.?!]\s")
_SENTENCE_END = re.compile(r"[.?!] ")
_LONG_WORD, _SHOUTED = 8, 3
_LISTS = {
    "I and we": frozenset(["i", "me", "my", "we", "our", "us"]),
    "the reader": frozenset(["you", "your", "yours", "you're"]),
    "he": frozenset(["he", "his", "him"]),
    "she": frozenset(["she", "her", "hers"]),
    "they": frozenset(["they", "their", "them"]),
    "pointing words": frozenset(["this", "these", "that", "those", "here"]),
    "question words": frozenset(["what", "why", "how", "who", "when", "where"]),
    "denial": frozenset(["not", "no", "never", "don't", "isn't", "can't", "won't"]),
    "superlatives": frozenset(["most", "best", "worst"]),
}
_SIGNS = {
    "question marks": "?",
    "exclamation marks": "!",
    "full stops": ".",
    "commas": ",",
    "colons": ":",
    "apostrophes": "'",
    "brackets": "(",
    "hyphens": "-",
    "dollars": "$",
    "per cent": "%",
    "asterisks": "*",
    "hash signs": "#",
}
_FORM = (
    "length",
    "length squared",
    "length, logarithm",
    "words",
    "words squared",
    "words, logarithm",
    "length of words",
    "double quotes",
    "digits",
    "shouted words",
    "capitalised words",
    "ends with a question",
    "ends with a full stop",
    "ends with dots",
    "sentences",
    "begins with the",
    "begins with a",
    "begins with a question word",
    "begins with a pronoun",
    "different words",
    "long words",
    "last sentence",
    "first sentence",
    "words in -ing",
    "words in -ed",
    "words in -est",
)
STYLE = (*_FORM, *_SIGNS, *_LISTS)
"""The names of the columns."""


def style_of(texts: Sequence[str]) -> Floats:
    """Return a row a text and a column a name of STYLE, shape (texts, len(STYLE))."""
    return np.array([_row(text.replace("’", "'")) for text in texts], dtype=np.float64).reshape(len(texts), len(STYLE))


def _row(text: str) -> list[float]:
    words = _WORD.findall(text)
    lower = [word.lower() for word in words]
    count, length = len(words), len(text)
    some = max(count, 1)
    first = lower[0] if lower else ""
    parts = _PARTS.split(text)
    return [
        length,
        length**2 / 100,
        np.log1p(length),
        count,
        count**2 / 20,
        np.log1p(count),
        sum(map(len, words)) / some,
        text.count('"') + text.count("“"),
        any(map(str.isdigit, text)),
        sum(word.isupper() and len(word) >= _SHOUTED for word in words),
        sum(word[0].isupper() for word in words) / some,
        text.endswith("?"),
        text.endswith("."),
        text.endswith(("...", "…")),
        len(_SENTENCE_END.findall(text)),
        first == "the",
        first == "a",
        first in {"what", "why", "how"},
        first in {"he", "she", "they"},
        len(set(lower)) / some,
        sum(len(word) >= _LONG_WORD for word in words) / some,
        len(parts[-1]),
        len(parts[0]),
        sum(word.endswith("ing") for word in lower),
        sum(word.endswith("ed") for word in lower),
        sum(word.endswith("est") for word in lower),
        *map(text.count, _SIGNS.values()),
        *(sum(word in listed for word in lower) for listed in _LISTS.values()),
    ]
