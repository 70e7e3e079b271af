"""Personal data that must not stand in a post: ways to reach a person, and numbers that name one."""

from __future__ import annotations

import re
from collections.abc import Iterator

from agents.guard.identifiers import numbers_of_identity
from agents.guard.phone_numbers import phone_numbers_in

_DOT = r"(?:\.|[(\[{] ?(?:dot|punkt|punto) ?[)\]}])"
_EMAIL = re.compile(
    r"(?<![\w.+-])[\w.+-]{1,64}@(?:[\w-]{1,63}\.){1,4}[^\W\d_]{2,24}(?!\w)"
    rf"|(?<![\w.+-])[\w.+-]{{1,64}} ?[(\[{{] ?(?:at|@|ät) ?[)\]}}] ?(?:[\w-]{{1,63}} ?{_DOT} ?){{1,4}}"
    r"[^\W\d_]{2,24}(?!\w)",
    re.IGNORECASE,
)
_NAME = r"[A-ZÀ-ÞА-ЯЄІЇҐ][\w'’ʼ-]*"
_NAMES = rf"{_NAME}(?: {_NAME}){{0,3}}"
_END_OF_ADDRESS = r"(?=\s*(?:[,.;!?)\n]|$|in\b|(?:apt|apartment|suite|flat|floor)\b|\d{5}))"
_ENGLISH = "Street|St\\.?|Avenue|Ave\\.?|Road|Rd\\.?|Lane|Boulevard|Blvd\\.?|Drive|Court"
_SPANISH = "[Cc]alle|[Aa]venida|Avda?\\.|[Pp]laza|[Pp]aseo|C/"
_UKRAINIAN = "[Вв]ул\\.|[Вв]улиц[яіюеї]{1,2}|[Пп]росп\\.|[Пп]роспект[іу]?|[Бб]ульвар[іу]?|[Пп]ров\\."
_STREETS = (
    rf"\b\d{{1,5}}[a-zA-Z]? (?:{_NAME} ){{1,3}}(?:{_ENGLISH}){_END_OF_ADDRESS}",
    r"\b[A-ZÄÖÜ][\wäöüß-]{2,}(?:straße|strasse|str\.|gasse|allee)\s\d{1,4}\s?[a-z]?\b",
    r"\b(?:[A-ZÄÖÜ][\wäöüß-]+(?:er|e|n) )(?:Straße|Strasse|Str\.|Allee|Weg|Platz)\s\d{1,4}\s?[a-z]?\b",
    rf"\b[A-ZÄÖÜ][\wäöüß-]{{2,}}(?:weg|platz|ring|damm|ufer)\s\d{{1,4}}\s?[a-z]?, ?\d{{5}} {_NAME}",
    rf"\b(?:{_SPANISH}) ?(?:de |del |las? |los |el ){{0,3}}{_NAMES}(?:,| n\.?º| número)? ?\d{{1,4}}{_END_OF_ADDRESS}",
    rf"\b(?:{_UKRAINIAN}) ?{_NAMES}(?:, ?| )(?:буд\. ?|будинок )?\d{{1,4}}\b",
)
_STREET = re.compile("|".join(_STREETS))


def personal_data(text: str) -> list[str]:
    """Return the kinds of personal data in the text, each once; what was found stays out of reasons and logs."""
    return list(_kinds(text))


def _kinds(text: str) -> Iterator[str]:
    without_addresses = _EMAIL.sub(" ", text)
    if without_addresses != text:
        yield "e-mail address"
    named = list(numbers_of_identity(without_addresses))
    yield from named
    if not named and phone_numbers_in(without_addresses):
        yield "phone number"
    if _STREET.search(text):
        yield "street address"
