"""Moderation: which texts are too harmful to go out, by a provider or by word lists."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Protocol

import yaml

from agents.guard.untrusted import without_hidden
from agents.llm.client import LanguageModelClient

WORD_LIST_FILE = Path(__file__).with_name("word_list.yaml")


class Moderator(Protocol):
    """Say why texts must not go out. Who can't tell raises, and lets nothing through."""

    async def reasons(self, texts: Sequence[str]) -> list[tuple[str, ...]]:
        """Return the reasons for each text, in their order; none for one that may go out.

        Raises:
            Unavailable: it can't be told now.
            RecordFault: it can't be told of these texts, ever.
            SettingsError: the provider refuses us.
        """
        ...


class OpenAIModerator:
    """Ask the provider's moderation."""

    def __init__(self, client: LanguageModelClient) -> None:
        self._client = client

    async def reasons(self, texts: Sequence[str]) -> list[tuple[str, ...]]:
        """Return the flagged categories of each text; a flag without a category is a reason too."""
        found = await self._client.moderate(texts) if texts else []
        return [
            tuple(f"moderation: {name}" for name in each.categories or ("flagged",)) if each.flagged else ()
            for each in found
        ]


class WordListModerator:
    """Look for the worst by word lists, offline: they find plain words only, and say nothing of what is meant."""

    async def reasons(self, texts: Sequence[str]) -> list[tuple[str, ...]]:
        """Return the categories in which a text has a word or phrase of any language's list."""
        return [_reasons(text) for text in texts]


def _reasons(text: str) -> tuple[str, ...]:
    seen = " ".join(without_hidden(text).replace("’", "'").replace("ʼ", "'").split())
    return tuple(f"moderation: {category}" for category, pattern in word_lists().items() if pattern.search(seen))


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
