"""Word lists by language: what tells the language, and what makes a hook or a detail."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict, field_validator

LEXICON_FILE = Path(__file__).with_name("lexicon.yaml")


class Lexicon(BaseModel):
    """The word lists of one language, lower case.

    A language with function words only is one that texts are told apart from, not one whose hooks are judged.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    function_words: frozenset[str]
    contrast_words: frozenset[str] = frozenset()
    person_words: frozenset[str] = frozenset()
    number_words: frozenset[str] = frozenset()
    vague_words: frozenset[str] = frozenset()

    @field_validator("*")
    @classmethod
    def _folded(cls, words: frozenset[str]) -> frozenset[str]:
        return frozenset(word.casefold() for word in words)  # as words_of does, which makes ss of the sharp s


@cache
def lexicons() -> dict[str, Lexicon]:
    """Return all lexicons by ISO 639-1 code."""
    content = yaml.safe_load(LEXICON_FILE.read_text(encoding="utf-8"))
    return {language: Lexicon.model_validate(words) for language, words in content.items()}
