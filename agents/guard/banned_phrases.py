"""Banned phrases: what a persona never says."""

from __future__ import annotations

import re
from collections.abc import Sequence

_BLANKS = re.compile(r"\s+")


def banned_in(text: str, phrases: Sequence[str]) -> list[str]:
    """Return the phrases that occur in the text as whole words, whatever the case and the blanks."""
    flat = _flat(text)
    return [phrase for phrase in phrases if re.search(rf"(?<!\w){re.escape(_flat(phrase))}(?!\w)", flat)]


def _flat(text: str) -> str:
    return _BLANKS.sub(" ", text.casefold()).strip()
