"""Time formats of imported files, all read to milliseconds since the epoch, UTC."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache, lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from babel import Locale

from agents.importing.cells.typed import Cell, text_of
from agents.importing.cells.visible_text import ImportFault, visible

__all__ = ["NAMED_FORMATS", "ReadTime", "TimeReader", "as_datetime", "as_ms", "time_reader"]

EPOCH_MS_FROM = 100_000_000_000  # an epoch from here on is in milliseconds: 1973 in ms, the year 5138 in s
LEAST_EPOCH = 100_000  # below lie the first day of 1970 and a spreadsheet's numbers of days up to 2173
SERIAL_ZERO = datetime(1899, 12, 30)  # noqa: DTZ001 - day 0 of a spreadsheet, in local time
SERIAL_FROM, SERIAL_TO = 25_569, 100_000  # 1970-01-01 to 2173
DISTINCT_TIMES_KEPT = 65_536
NAMED_FORMATS = ("month-name", "spreadsheet", "iso8601", "epoch", "iso-week", "monday-week")

_WEEK = re.compile(r"(\d{4})-?W?(\d{2})", re.ASCII)
_EPOCH = re.compile(r"-?\d+(\.\d+)?", re.ASCII)
_SERIAL = re.compile(r"\d{5}([.,]\d+)?", re.ASCII)
_DAY_MS = 24 * 3600 * 1000
_ISO_DAY_LENGTH = len("2026-11-22")
_YEARS = re.compile(r"%[-_0^#]?[YyGcxDFs]")
_CLOCKS = re.compile(r"%[-_0^#]?[HIMcXTRrs]")

Found = tuple[int, bool]
"""Milliseconds, and whether the clocks showed that time twice."""
_BOTH_ENDS = frozenset({1, 12})  # months of a file that goes over a new year
ReadTime = Callable[[str, int | None], Found]
"""Reads a cell; the second value is the moment (ms) that a date without a year can't be later than, None if unknown."""
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MS = timedelta(milliseconds=1)
LANGUAGES = (
    *("en", "es", "de", "fr", "it", "pt", "nl", "ca", "ro", "sv", "da", "nb", "fi"),
    *("pl", "cs", "sk", "uk", "ru", "tr", "hu", "el", "id"),
)  # fmt: skip
"""Languages that share a name for no two months (a test holds it); Croatian, where listopad is October, would."""
_CONTEXTS = ("format", "stand-alone")
_WIDTHS = ("wide", "abbreviated")
_SMALL_WORDS = frozenset({"de", "del", "d", "di", "of", "the", "den", "der", "st", "nd", "rd", "th", "г", "р"})
_PART = re.compile(r"\d+|[^\W\d_]+")


@dataclass(slots=True)
class TimeReader:
    """Reads cells to milliseconds since the epoch.

    `twice` are cells whose local time the clocks showed twice, `months` those of dates to which `year` alone was given.
    Times and dates that are values already are taken as they are, those without an offset as times of `zone`.
    """

    read: ReadTime
    twice: set[Cell]
    months: set[int]
    zone: ZoneInfo | None = None

    def check(self, file_name: str) -> None:
        """Refuse dates that can't all be of the year that was said.

        Raises:
            ImportFault: dates without a year go over a new year, and the day of the export is not known.
        """
        if self.months >= _BOTH_ENDS:
            raise ImportFault(
                f"{file_name}: its dates have no year and go from December to January. Say the day of the export in "
                "place of --year, e.g. --as-of 2026-01-05: dates later in the year are of the year before."
            )

    def __call__(self, cell: Cell, latest_ms: int | None = None) -> int:
        """Return the milliseconds; raises ValueError with what was expected, ImportFault where a year must be said."""
        if type(cell) is str:
            at_ms, twice = self.read(cell, latest_ms)
        elif isinstance(cell, datetime):
            at_ms, twice = instant_ms(cell, self.zone)
        elif isinstance(cell, date):
            at_ms, twice = first_instant_ms(datetime(cell.year, cell.month, cell.day), self.zone), False  # noqa: DTZ001
        else:
            at_ms, twice = self.read(text_of(cell), latest_ms)
        if twice:
            self.twice.add(cell)
        return at_ms


def time_reader(time_format: str, timezone: str | None = None, year: int | None = None) -> TimeReader:
    """Return the function that reads a cell to milliseconds; it raises ValueError with what was expected.

    What it returns may lie outside the calendar: as_datetime then raises OverflowError. Times without an offset are of
    `timezone`, an IANA name; None means UTC. Dates without a year are of `year`, or of the year before where they would
    else be later than the moment that they can't be later than.

    - `iso8601`: with or without an offset.
    - `epoch`: seconds (a fraction is allowed) or milliseconds, told apart by size: from 1e11 on, milliseconds.
    - `iso-week`: YYYYWW or YYYY-Www, read as the Monday of that ISO 8601 week, 00:00. Week 00, which ISO does
      not know but some exports hold, is the week before week 01.
    - `monday-week`: YYYYWW as C's %Y%W writes it (week 01 begins with the year's first Monday, days before it are
      week 00), read as that Monday, 00:00.
    - `month-name`: a date with the name of its month in one of month_names.LANGUAGES, with or without a year.
    - `spreadsheet`: a serial number of days since 1899-12-30, as spreadsheets show a date cell without its format.
    - else a strptime format.

    Raises:
        ImportFault: the format is none of these, or the time zone is unknown.
    """
    zone = zone_named(timezone) if timezone else None
    months: set[int] = set()
    years = _Years(year, months)
    named: dict[str, ReadTime] = {
        "iso8601": _timeless(lambda cell: _iso8601(cell, zone)),
        "epoch": _timeless(lambda cell: (_epoch(cell), False)),
        "iso-week": _timeless(lambda cell: (first_instant_ms(_iso_week(cell), zone), False)),
        "monday-week": _timeless(lambda cell: (first_instant_ms(_monday_week(cell), zone), False)),
        "month-name": lambda cell, latest_ms: _month_name(cell, latest_ms, years, zone),
        "spreadsheet": _timeless(lambda cell: _spreadsheet(cell, zone)),
    }
    if time_format not in named and "%" not in time_format:
        names = ", ".join(NAMED_FORMATS)
        raise ImportFault(
            f"--time-format {time_format!r} is unknown; use {names}, or a strptime format such as '%d/%m/%Y %H:%M'."
        )
    read = named.get(time_format) or _strptime_reader(time_format, years, zone)
    return TimeReader(lru_cache(maxsize=DISTINCT_TIMES_KEPT)(read), set(), months, zone)


def as_datetime(at_ms: int) -> datetime:
    """Return milliseconds since the epoch as a datetime in UTC."""
    return EPOCH + timedelta(milliseconds=at_ms)


def _timeless(read: Callable[[str], Found]) -> ReadTime:
    return lambda cell, _latest_ms: read(visible(cell))


def _iso8601(cell: str, zone: ZoneInfo | None) -> Found:
    try:
        at = datetime.fromisoformat(cell)
    except ValueError:
        hint = "spreadsheet" if _SERIAL.fullmatch(cell) else None
        advice = f"say --time-format {hint}" if hint else "say --time-format"
        raise ValueError(f"is not an ISO 8601 time such as 2026-11-22T10:30:00Z; {advice}") from None
    return (first_instant_ms(at, zone), False) if len(cell) <= _ISO_DAY_LENGTH else instant_ms(at, zone)


def _epoch(cell: str) -> int:
    if not _EPOCH.fullmatch(cell):
        raise ValueError("is not an epoch in seconds or milliseconds; say --time-format")
    value = float(cell) if "." in cell else int(cell)
    if abs(value) < LEAST_EPOCH:
        raise ValueError("is too small for an epoch: if it is a spreadsheet's day, say --time-format spreadsheet")
    return int(value) if abs(value) >= EPOCH_MS_FROM else round(value * 1000)


def _spreadsheet(cell: str, zone: ZoneInfo | None) -> Found:
    if not _SERIAL.fullmatch(cell) or not SERIAL_FROM <= int(cell[:5]) < SERIAL_TO:
        raise ValueError("is not a spreadsheet's serial day such as 45901 or 45901.5; say --time-format")
    days = float(cell.replace(",", "."))
    local = SERIAL_ZERO + timedelta(seconds=round(days * _DAY_MS / 1000))
    return (first_instant_ms(local, zone), False) if days.is_integer() else instant_ms(local, zone)


def _month_name(cell: str, latest_ms: int | None, years: _Years, zone: ZoneInfo | None) -> Found:
    said, month, day = date_parts(visible(cell))

    def of_year(which: int) -> int:
        return first_instant_ms(datetime(which, month, day), zone)  # noqa: DTZ001 - local

    return (of_year(said) if said else years.date(cell, of_year, latest_ms)), False


@dataclass(frozen=True, slots=True)
class _Years:
    """The year of dates without one."""

    said: int | None
    months: set[int]

    def date(self, cell: str, of_year: Callable[[int], int], latest_ms: int | None) -> int:
        """Return the last date of that kind in the year that is said, not later than a moment that it can't be."""
        if self.said is None and latest_ms is None:
            raise ImportFault(
                f"{cell!r} has no year: say the year of the export with --year, e.g. --year {datetime.now(UTC).year}. "
                "Where the file goes over a new year, say the day of the export, e.g. --as-of 2026-01-05."
            )
        newest = as_datetime(latest_ms or 0).year if self.said is None else self.said
        if latest_ms is None:
            at_ms = of_year(newest)
            self.months.add(as_datetime(at_ms + _DAY_MS // 2).month)
            return at_ms
        return of_year(newest - 1 if of_year(newest) > latest_ms + _DAY_MS else newest)


def _week(cell: str) -> tuple[int, int]:
    match = _WEEK.fullmatch(cell)
    if match is None:
        raise ValueError("is not a week written YYYYWW or YYYY-Www, such as 201446; say --time-format")
    year, week = int(match[1]), int(match[2])
    if year == 0 or week > 53:  # noqa: PLR2004 - no year has a week 54
        raise ValueError("is not a week of a year (weeks go from 00 to 53)")
    return year, week


def _iso_week(cell: str) -> datetime:
    year, week = _week(cell)
    return _midnight(date.fromisocalendar(year, 1, 1), week - 1)


def _monday_week(cell: str) -> datetime:
    year, week = _week(cell)
    new_year = date(year, 1, 1)
    first_monday = new_year + timedelta(days=-new_year.weekday() % 7)
    return _midnight(first_monday, week - 1)


def _midnight(monday: date, weeks_on: int) -> datetime:
    day = monday + timedelta(weeks=weeks_on)
    return datetime(day.year, day.month, day.day)  # noqa: DTZ001 - local


def _strptime_reader(time_format: str, years: _Years, zone: ZoneInfo | None) -> ReadTime:
    has_year, has_clock = _YEARS.search(time_format), _CLOCKS.search(time_format)
    fault = f"does not fit --time-format {time_format!r}"

    def parsed(text: str, form: str) -> Found:
        try:
            local = datetime.strptime(text, form)  # noqa: DTZ007 - the zone is added
        except ValueError:
            raise ValueError(fault) from None
        return instant_ms(local, zone) if has_clock else (first_instant_ms(local, zone), False)

    def read(cell: str, latest_ms: int | None) -> Found:
        if has_year:
            return parsed(visible(cell), time_format)
        of_year = lambda which: parsed(f"{which} {visible(cell)}", f"%Y {time_format}")[0]  # noqa: E731
        return years.date(cell, of_year, latest_ms), False

    return read


def zone_named(name: str) -> ZoneInfo:
    """Return a time zone of the IANA database.

    Raises:
        ImportFault: there is none of that name.
    """
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ImportFault(
            f"--timezone {name!r} is no time zone of the IANA database; use a name such as Europe/Berlin, "
            "America/Los_Angeles or UTC."
        ) from None


def as_ms(at: datetime) -> int:
    """Return a datetime as milliseconds since the epoch; one without an offset is UTC."""
    return ((at if at.tzinfo else at.replace(tzinfo=UTC)) - EPOCH) // MS


def first_instant_ms(local: datetime, zone: ZoneInfo | None) -> int:
    """Return when a local day begins, given its midnight; where the clocks skip midnight, when they have."""
    return as_ms(local.replace(tzinfo=zone, fold=0) if zone and local.tzinfo is None else local)


def instant_ms(local: datetime, zone: ZoneInfo | None) -> tuple[int, bool]:
    """Return the instant of a local time, and whether the clocks showed it twice: then it is the first of the two.

    A time with an offset is an instant already; without a zone it is UTC.

    Raises:
        ValueError: the clocks skipped that time.
    """
    if zone is None or local.tzinfo is not None:
        return as_ms(local), False
    first, second = (local.replace(tzinfo=zone, fold=fold) for fold in (0, 1))
    if first.utcoffset() == second.utcoffset():
        return as_ms(first), False
    if first.astimezone(UTC).astimezone(zone).replace(tzinfo=None) != local.replace(tzinfo=None):
        raise ValueError(f"is a time that the clocks of {zone.key} skip; check --timezone")
    return as_ms(first), True


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
