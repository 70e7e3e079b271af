"""Word lists by language: what tells the language, and what makes a hook or a detail."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict

LEXICON_FILE = Path(__file__).with_name("lexicon.yaml")


class Lexicon(BaseModel):
    """The word lists of one language, lower case."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    function_words: frozenset[str]
    contrast_words: frozenset[str]
    person_words: frozenset[str]
    number_words: frozenset[str]
    vague_words: frozenset[str]


@cache
def lexicons() -> dict[str, Lexicon]:
    """Return all lexicons by ISO 639-1 code."""
    content = yaml.safe_load(LEXICON_FILE.read_text(encoding="utf-8"))
    return {language: Lexicon.model_validate(words) for language, words in content.items()}
