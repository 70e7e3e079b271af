"""Months, days of the week and small words of dates as people write them, from Unicode's CLDR by way of Babel."""

from __future__ import annotations

import re
from functools import cache

from babel import Locale

LANGUAGES = (
    *("en", "es", "de", "fr", "it", "pt", "nl", "ca", "ro", "sv", "da", "nb", "fi"),
    *("pl", "cs", "sk", "uk", "ru", "tr", "hu", "el", "id"),
)  # fmt: skip
"""Languages that share a name for no two months (a test holds it); Croatian, where listopad is October, would."""

_CONTEXTS = ("format", "stand-alone")
_WIDTHS = ("wide", "abbreviated")
_SMALL_WORDS = frozenset({"de", "del", "d", "di", "of", "the", "den", "der", "st", "nd", "rd", "th", "г", "р"})
_PART = re.compile(r"\d+|[^\W\d_]+")


def date_parts(text: str) -> tuple[int | None, int, int]:
    """Return year (None where there is none), month and day of a date such as `8 de marzo` or `Sep 27, 2024`.

    Raises:
        ValueError: it is no such date.
    """
    parts = _PART.findall(text.casefold())
    months = [_months()[part] for part in parts if part in _months()]
    numbers = [part for part in parts if part.isdecimal() and part.isascii()]
    years = [int(number) for number in numbers if len(number) == 4]  # noqa: PLR2004 - a year has four digits
    days = [int(number) for number in numbers if len(number) <= 2]  # noqa: PLR2004 - and a day two
    others = [part for part in parts if part not in _months() and part not in _other_words() and part not in numbers]
    if others or len(months) != 1 or len(days) != 1 or len(years) > 1 or len(years) + len(days) != len(numbers):
        raise ValueError("is not a date with the name of its month, such as Sep 27, 2024 or 8 de marzo")
    return (years[0] if years else None), months[0], days[0]


@cache
def _months() -> dict[str, int]:
    named = {name: number for language in LANGUAGES for name, number in month_names(language)}
    return named | {"sept": 9}


def month_names(language: str) -> list[tuple[str, int]]:
    """Return each name of a month in a language, lower case and without points, with the month's number."""
    months = Locale.parse(language).months
    found = [item for context in _CONTEXTS for width in _WIDTHS for item in months[context][width].items()]
    return [(name.casefold().rstrip("."), number) for number, name in found]


@cache
def _other_words() -> frozenset[str]:
    days = [Locale.parse(language).days for language in LANGUAGES]
    widths = [each[context][width] for each in days for context in _CONTEXTS for width in _WIDTHS]
    names = [name for width in widths for name in width.values()]
    return _SMALL_WORDS | {part for name in names for part in _PART.findall(name.casefold())}
