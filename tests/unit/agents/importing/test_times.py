from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.importing.fields import ImportFault
from agents.importing.times import as_datetime, as_ms, time_reader


def at(time_format: str, cell: str) -> datetime:
    return as_datetime(time_reader(time_format)(cell))


def test_iso8601_without_an_offset_is_utc() -> None:
    assert at("iso8601", "2026-03-01T12:00:00") == datetime(2026, 3, 1, 12, tzinfo=UTC)
    assert at("iso8601", "2026-03-01T12:00:00Z") == at("iso8601", "2026-03-01T14:00:00+02:00")


def test_an_epoch_is_told_apart_by_size() -> None:
    assert at("epoch", "1795368298") == at("epoch", "1795368298000") == datetime(2026, 11, 22, 17, 24, 58, tzinfo=UTC)
    assert at("epoch", "1795368298.25").microsecond == 250_000


@given(st.dates(min_value=date(1900, 1, 1), max_value=date(2100, 1, 1)))
def test_an_iso_week_is_its_monday(day: date) -> None:
    year, week, _ = day.isocalendar()
    monday = date.fromisocalendar(year, week, 1)
    assert at("iso-week", f"{year}{week:02}").date() == monday
    assert at("iso-week", f"{year}-W{week:02}").date() == monday


def test_week_00_of_an_iso_week_is_the_week_before_week_01() -> None:
    assert at("iso-week", "201500") == datetime(2014, 12, 22, tzinfo=UTC)


@given(st.dates(min_value=date(1900, 1, 1), max_value=date(2100, 1, 1)))
def test_a_monday_week_is_what_strftime_wrote(day: date) -> None:
    monday = at("monday-week", day.strftime("%Y%W")).date()
    assert monday.weekday() == 0
    assert 0 <= (day - monday).days < 7


def test_a_strptime_format_is_read_as_utc_unless_it_has_an_offset() -> None:
    assert at("%d/%m/%Y %H:%M", "02/01/2026 09:30") == datetime(2026, 1, 2, 9, 30, tzinfo=UTC)
    assert at("%Y-%m-%d %z", "2026-01-02 +0100") == datetime(2026, 1, 1, 23, tzinfo=UTC)


@pytest.mark.parametrize(
    ("time_format", "cell", "expected"),
    [
        ("iso8601", "22.11.2026", "not an ISO 8601 time"),
        ("epoch", "yesterday", "not an epoch"),
        ("iso-week", "2014460", "not a week"),
        ("iso-week", "201454", "weeks go from 00 to 53"),
        ("monday-week", "000001", "not a week of a year"),
        ("%Y", "MMXXVI", "does not fit --time-format '%Y'"),
    ],
)
def test_a_cell_of_another_format_says_what_was_expected(time_format: str, cell: str, expected: str) -> None:
    with pytest.raises(ValueError, match=expected):
        time_reader(time_format)(cell)


def test_an_unknown_format_lists_those_there_are() -> None:
    with pytest.raises(ImportFault, match="iso8601, epoch, iso-week, monday-week, or a strptime format"):
        time_reader("isoweek")


@given(st.datetimes(timezones=st.just(UTC)))
def test_milliseconds_and_datetimes_are_the_same_instant(moment: datetime) -> None:
    floored = moment.replace(microsecond=moment.microsecond // 1000 * 1000)
    assert as_datetime(as_ms(moment)) == floored
