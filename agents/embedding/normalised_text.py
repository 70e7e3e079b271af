"""A text as it is compared: normalised, its hash, and how often it denies."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from functools import lru_cache
from pathlib import Path

import yaml

_NO_WORD = re.compile(r"[\W_]+")
_WORDS = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")
_CONTRACTED = ("n't", "n’t")


def normalised(text: str) -> str:
    """Return the words of a text in one form: NFKC, case folded, single blanks."""
    return _NO_WORD.sub(" ", unicodedata.normalize("NFKC", text).casefold()).strip()


def text_hash(text: str) -> str:
    """Return the hash of the normalised text: 32 hex digits of SHA-256. A text without words is hashed as it is."""
    return hashlib.sha256((normalised(text) or text).encode()).hexdigest()[:32]


def negations(text: str) -> int:
    """Return the number of words in a text that deny: not, kein, nunca, не and the like, with isn't and won't."""
    words = _WORDS.findall(unicodedata.normalize("NFKC", text).casefold())
    return sum(word in _denying() or word.endswith(_CONTRACTED) for word in words)


@lru_cache(maxsize=1)
def _denying() -> frozenset[str]:
    by_language = yaml.safe_load(Path(__file__).with_name("negations.yaml").read_text(encoding="utf-8"))
    return frozenset(word for words in by_language.values() for word in words)
