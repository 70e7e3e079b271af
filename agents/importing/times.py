"""Time formats of imported files, all read to milliseconds since the epoch, UTC."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache

from agents.importing.fields import ImportFault

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MS = timedelta(milliseconds=1)
EPOCH_MS_FROM = 100_000_000_000  # an epoch from here on is in milliseconds: 1973 in ms, the year 5138 in s
DISTINCT_TIMES_KEPT = 65_536
NAMED_FORMATS = ("iso8601", "epoch", "iso-week", "monday-week")

_WEEK = re.compile(r"(\d{4})-?W?(\d{2})", re.ASCII)
_EPOCH = re.compile(r"-?\d+(\.\d+)?", re.ASCII)

ReadTime = Callable[[str], int]


def time_reader(time_format: str) -> ReadTime:
    """Return the function that reads a cell to milliseconds; it raises ValueError with what was expected.

    What it returns may lie outside the calendar: as_datetime then raises OverflowError.

    - `iso8601`: with or without an offset; none means UTC.
    - `epoch`: seconds (a fraction is allowed) or milliseconds, told apart by size: from 1e11 on, milliseconds.
    - `iso-week`: YYYYWW or YYYY-Www, read as the Monday of that ISO 8601 week, 00:00 UTC. Week 00, which ISO does
      not know but some exports hold, is the week before week 01.
    - `monday-week`: YYYYWW as C's %Y%W writes it (week 01 begins with the year's first Monday, days before it are
      week 00), read as that Monday, 00:00 UTC.
    - else a strptime format; without %z it is read as UTC.

    Raises:
        ImportFault: the format is none of these.
    """
    named: dict[str, ReadTime] = {
        "iso8601": _iso8601,
        "epoch": _epoch,
        "iso-week": _iso_week,
        "monday-week": _monday_week,
    }
    if time_format not in named and "%" not in time_format:
        names = ", ".join(NAMED_FORMATS)
        raise ImportFault(
            f"--time-format {time_format!r} is unknown; use {names}, or a strptime format such as '%d/%m/%Y %H:%M'."
        )
    read = named.get(time_format) or _strptime_reader(time_format)
    return lru_cache(maxsize=DISTINCT_TIMES_KEPT)(read)


def as_datetime(at_ms: int) -> datetime:
    """Return milliseconds since the epoch as a datetime in UTC."""
    return EPOCH + timedelta(milliseconds=at_ms)


def as_ms(at: datetime) -> int:
    """Return a datetime as milliseconds since the epoch; one without an offset is UTC."""
    return ((at if at.tzinfo else at.replace(tzinfo=UTC)) - EPOCH) // MS


def _iso8601(cell: str) -> int:
    try:
        return as_ms(datetime.fromisoformat(cell.strip()))
    except ValueError:
        raise ValueError("is not an ISO 8601 time such as 2026-11-22T10:30:00Z; say --time-format") from None


def _epoch(cell: str) -> int:
    text = cell.strip()
    if not _EPOCH.fullmatch(text):
        raise ValueError("is not an epoch in seconds or milliseconds; say --time-format")
    value = float(text) if "." in text else int(text)
    return int(value) if abs(value) >= EPOCH_MS_FROM else round(value * 1000)


def _week(cell: str) -> tuple[int, int]:
    match = _WEEK.fullmatch(cell.strip())
    if match is None:
        raise ValueError("is not a week written YYYYWW or YYYY-Www, such as 201446; say --time-format")
    year, week = int(match[1]), int(match[2])
    if year == 0 or week > 53:  # noqa: PLR2004 - no year has a week 54
        raise ValueError("is not a week of a year (weeks go from 00 to 53)")
    return year, week


def _iso_week(cell: str) -> int:
    year, week = _week(cell)
    return _midnight_ms(date.fromisocalendar(year, 1, 1), week - 1)


def _monday_week(cell: str) -> int:
    year, week = _week(cell)
    new_year = date(year, 1, 1)
    first_monday = new_year + timedelta(days=-new_year.weekday() % 7)
    return _midnight_ms(first_monday, week - 1)


def _midnight_ms(monday: date, weeks_on: int) -> int:
    day = monday + timedelta(weeks=weeks_on)
    return as_ms(datetime(day.year, day.month, day.day, tzinfo=UTC))


def _strptime_reader(time_format: str) -> ReadTime:
    def read(cell: str) -> int:
        try:
            return as_ms(datetime.strptime(cell.strip(), time_format))  # noqa: DTZ007 - as_ms adds UTC
        except ValueError:
            raise ValueError(f"does not fit --time-format {time_format!r}") from None

    return read
