"""The word lists of moderation: one pattern a category over all languages."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import yaml

WORD_LIST_FILE = Path(__file__).with_name("word_list.yaml")


@cache
def word_lists() -> dict[str, re.Pattern[str]]:
    """Return the pattern of each category: whole words, in any case."""
    content: dict[str, dict[str, list[str]]] = yaml.safe_load(WORD_LIST_FILE.read_text(encoding="utf-8"))
    return {
        category: re.compile(
            "|".join(rf"(?<!\w)(?:{line})(?!\w)" for lines in by_language.values() for line in lines), re.IGNORECASE
        )
        for category, by_language in content.items()
    }
