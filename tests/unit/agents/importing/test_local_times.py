"""Times of exports: time zones with their gaps and overlaps, months by name, years that are missing, serial days."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from babel.dates import format_date
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from agents.importing.cells.visible_text import ImportFault
from agents.importing.times import LANGUAGES, as_datetime, as_ms, date_parts, month_names, time_reader

ZONES = (
    "America/Los_Angeles",
    "Europe/Berlin",
    "America/Sao_Paulo",
    "Australia/Lord_Howe",
    "Africa/Cairo",
    "Asia/Kolkata",
)
MOMENTS = st.datetimes(datetime(1990, 1, 1), datetime(2030, 1, 1))  # noqa: DTZ001 - local
DAYS = st.dates(min_value=date(1990, 1, 1), max_value=date(2035, 12, 31))


@settings(deadline=None)
@given(MOMENTS, st.sampled_from(ZONES))
def test_a_local_time_is_the_instant_that_shows_it_and_else_refused(local: datetime, zone: str) -> None:
    local = local.replace(second=0, microsecond=0)
    reader = time_reader("%Y-%m-%d %H:%M", zone)
    cell = f"{local:%Y-%m-%d %H:%M}"
    shown = [
        instant
        for fold in (0, 1)
        for instant in [local.replace(tzinfo=ZoneInfo(zone), fold=fold).astimezone(UTC)]
        if instant.astimezone(ZoneInfo(zone)).replace(tzinfo=None) == local
    ]
    if not shown:
        with pytest.raises(ValueError, match=f"clocks of {zone} skip"):
            reader(cell)
        return
    assert as_datetime(reader(cell)) == min(shown)
    assert (cell in reader.twice) == (len(set(shown)) == 2)


def test_a_gap_and_an_overlap_of_the_clocks_are_told() -> None:
    reader = time_reader("%d/%m/%Y %H:%M", "Europe/Berlin")
    with pytest.raises(ValueError, match="Europe/Berlin skip"):
        reader("29/03/2026 02:30")
    assert as_datetime(reader("25/10/2026 02:30")) == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    assert reader.twice == {"25/10/2026 02:30"}


def test_a_time_of_the_evening_is_booked_on_its_own_day() -> None:
    reader = time_reader("%m/%d/%Y %H:%M", "America/Los_Angeles")
    assert as_datetime(reader("05/01/2026 20:30")) == datetime(2026, 5, 2, 3, 30, tzinfo=UTC)


def test_an_offset_wins_over_the_zone() -> None:
    assert time_reader("iso8601", "Asia/Tokyo")("2026-01-01T10:00:00Z") == as_ms(datetime(2026, 1, 1, 10, tzinfo=UTC))


@pytest.mark.parametrize(("zone", "day"), [("America/Sao_Paulo", "2017-10-15"), ("Africa/Cairo", "2010-04-30")])
def test_a_day_whose_midnight_the_clocks_skip_begins_when_they_have(zone: str, day: str) -> None:
    begins = as_datetime(time_reader("iso8601", zone)(day)).astimezone(ZoneInfo(zone))
    assert (begins.date().isoformat(), begins.hour) == (day, 1)


def test_an_unknown_zone_is_refused() -> None:
    with pytest.raises(ImportFault, match="no time zone of the IANA database"):
        time_reader("iso8601", "Pacific")
    with pytest.raises(ImportFault, match="no time zone"):
        time_reader("iso8601", "../etc/passwd")


def test_no_two_months_share_a_name_in_the_languages_there_are() -> None:
    numbers: dict[str, set[int]] = defaultdict(set)
    for language in LANGUAGES:
        for name, number in month_names(language):
            numbers[name].add(number)
    assert {name: found for name, found in numbers.items() if len(found) > 1} == {}


@settings(deadline=None)
@given(DAYS, st.sampled_from(LANGUAGES), st.sampled_from(["long", "medium", "full"]))
def test_a_date_as_a_language_writes_it_is_read(day: date, language: str, width: str) -> None:
    text = format_date(day, width, locale=language)
    assume(any(character.isalpha() for character in text.replace("г", "").replace("р", "")))  # else all in figures
    try:
        parts = date_parts(text)
    except ValueError:
        assume(not any(name in text.casefold() for name, _ in month_names(language)))  # a form without a month's name
        raise
    assert parts == (day.year, day.month, day.day)


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("Tue, Aug 26, 2025", date(2025, 8, 26)),
        ("Sep 27, 2024", date(2024, 9, 27)),
        ("27 sept 2024", date(2024, 9, 27)),
        ("8 de marzo de 2026", date(2026, 3, 8)),
        ("1. März 2026", date(2026, 3, 1)),
        ("8 березня 2026 р.", date(2026, 3, 8)),
    ],
)
def test_dates_of_real_exports_are_read(cell: str, expected: date) -> None:
    assert as_datetime(time_reader("month-name")(cell)).date() == expected


@pytest.mark.parametrize("cell", ["soon", "8 of Nevember 2026", "March", "8 9 March 2026", "March 8, 26x", "", "Total"])
def test_what_is_no_date_by_name_is_refused(cell: str) -> None:
    with pytest.raises(ValueError, match="is not a date"):
        time_reader("month-name")(cell)


@pytest.mark.parametrize(
    ("time_format", "cell"), [("month-name", "8 de marzo"), ("%d %B", "8 March"), ("%m/%d", "03/08")]
)
def test_a_date_without_a_year_is_asked_about(time_format: str, cell: str) -> None:
    with pytest.raises(ImportFault, match=r"has no year: say .* --year"):
        time_reader(time_format)(cell)
    assert as_datetime(time_reader(time_format, None, 2026)(cell)).date() == date(2026, 3, 8)


@settings(deadline=None)
@given(DAYS, st.integers(0, 360), st.booleans())
def test_a_date_without_a_year_is_the_last_one_before_the_export(export: date, days: int, said: bool) -> None:
    day = export - timedelta(days=days)
    assume((day.month, day.day) != (2, 29))
    latest_ms = as_ms(datetime(export.year, export.month, export.day, tzinfo=UTC))
    reader = time_reader("month-name", None, export.year if said else None)
    assert as_datetime(reader(f"{day:%B} {day.day}", latest_ms)).date() == day


def test_years_that_a_file_goes_over_are_asked_about() -> None:
    reader = time_reader("month-name", None, 2026)
    reader("December 31")
    reader.check("x.csv")
    reader("January 1")
    with pytest.raises(ImportFault, match="--as-of 2026-01-05"):
        reader.check("x.csv")


@settings(deadline=None)
@given(MOMENTS)
def test_a_serial_day_of_a_spreadsheet_is_read(moment: datetime) -> None:
    moment = moment.replace(microsecond=0)
    serial = (moment - datetime(1899, 12, 30)) / timedelta(days=1)  # noqa: DTZ001 - local
    found = as_datetime(time_reader("spreadsheet")(f"{serial:.9f}"))
    assert abs(found - moment.replace(tzinfo=UTC)) <= timedelta(seconds=1)


@pytest.mark.parametrize("cell", ["45901", "45901.5", "0", "1", "-3", "99999"])
def test_a_serial_day_is_never_taken_for_an_epoch(cell: str) -> None:
    with pytest.raises(ValueError, match="spreadsheet"):
        time_reader("epoch")(cell)


def test_a_serial_day_is_recognised_where_iso_was_expected() -> None:
    with pytest.raises(ValueError, match="say --time-format spreadsheet"):
        time_reader("iso8601")("45901")
