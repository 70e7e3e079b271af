"""How often a text denies something: what tells an opposite from a near-copy when their other words are the same."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from pathlib import Path

import yaml

_WORDS = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")
_CONTRACTED = ("n't", "n’t")


def negations(text: str) -> int:
    """Return the number of words in a text that deny: not, kein, nunca, не and the like, with isn't and won't."""
    words = _WORDS.findall(unicodedata.normalize("NFKC", text).casefold())
    return sum(word in _denying() or word.endswith(_CONTRACTED) for word in words)


@lru_cache(maxsize=1)
def _denying() -> frozenset[str]:
    by_language = yaml.safe_load(Path(__file__).with_name("negations.yaml").read_text(encoding="utf-8"))
    return frozenset(word for words in by_language.values() for word in words)
