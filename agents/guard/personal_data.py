"""Personal data that must not stand in a post: ways to reach a person, and numbers that name one."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

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
# Signs without which a text holds none of these: most texts hold none, and a look for signs is quick.
_SIGNS_OF_AN_ADDRESS = ("@", "(", "[", "{")
_SIGNS_OF_A_STREET = (
    *(" Street", " St", " Av", " R", " L", " B", " D", " Court"),
    *("stra", "Stra", "str.", "Str.", "gasse", "llee", "Weg", "weg", "latz", "ring", "amm", "ufer"),
    *("alle", "venida", "Avd", "laza", "aseo", "C/"),
    *("ул", "росп", "ульвар", "ров."),
)
_DIGIT = re.compile(r"\d")
_ENOUGH_DIGITS = re.compile(r"\d(?:\D{0,8}\d){5}")  # no number that names or reaches a person has fewer


def personal_data(text: str) -> list[str]:
    """Return the kinds of personal data in the text, each once; what was found stays out of reasons and logs."""
    return list(_kinds(text))


def _kinds(text: str) -> Iterator[str]:
    without_addresses = _EMAIL.sub(" ", text) if _has_one(_SIGNS_OF_AN_ADDRESS, text) else text
    if without_addresses != text:
        yield "e-mail address"
    if _ENOUGH_DIGITS.search(without_addresses):
        named = list(numbers_of_identity(without_addresses))
        yield from named
        if not named and phone_numbers_in(without_addresses):
            yield "phone number"
    if _DIGIT.search(text) and _has_one(_SIGNS_OF_A_STREET, text) and _STREET.search(text):
        yield "street address"


def _has_one(signs: Sequence[str], text: str) -> bool:
    return any(sign in text for sign in signs)
