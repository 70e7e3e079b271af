"""Banned phrases: what a persona never says."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

_BLANKS = re.compile(r"\s+")


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
