"""Values that are no texts are read as they are: no format, no sign and no zone that is said changes them."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from agents.importing.cells.numbers import NumberFormat
from agents.importing.cells.typed import Cell, text_of, whole_of
from agents.importing.fields import FieldMapping, bind
from agents.importing.rows import RowReader
from agents.importing.sources.source import Row

COLUMNS = {"post_id": ("post",), "persona_id": ("who",), "occurred_at": ("at",), "views": ("seen",)}
NAMES = ["post", "who", "at", "seen"]
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def reader(time_format: str = "%d/%m/%Y", timezone: str | None = None) -> RowReader:
    mapping = FieldMapping(columns=COLUMNS, time_format=time_format, timezone=timezone)
    return RowReader(bind(mapping, NAMES, "x"), numbers=NumberFormat(",", "."), unit="row")


def read(*cells: Cell, timezone: str | None = None) -> tuple[list[tuple[str, int, int]], list[str], list[str]]:
    block, faults = reader(timezone=timezone).read([Row(1, 1, cells)])
    good = zip(block.post_ids or [], block.occurred_ms.tolist(), block.counts[:, 0].tolist(), strict=True)
    return list(good), list(map(str, faults)), list(block.notes)


def test_values_are_taken_as_they_are() -> None:
    noon_ms = round(NOON.timestamp() * 1000)
    assert read(2**62 + 1, "ada", NOON, 2**40) == ([(str(2**62 + 1), noon_ms, 2**40)], [], [])
    assert read("p", "ada", NOON, Decimal("3.000"))[0] == [("p", noon_ms, 3)]
    assert read("p", "ada", NOON, 3.0)[0] == [("p", noon_ms, 3)]
    assert read("p", "ada", date(2026, 3, 1), None)[0] == [("p", noon_ms - 12 * 3_600_000, 0)]


def test_times_without_an_offset_are_of_the_zone_and_the_clocks_gaps_and_overlaps_are_named() -> None:
    local = NOON.replace(tzinfo=None)
    assert read("p", "ada", local, 1, timezone="Europe/Berlin")[0][0][1] == (NOON.timestamp() - 3600) * 1000
    assert read("p", "ada", NOON, 1, timezone="Europe/Berlin")[0][0][1] == NOON.timestamp() * 1000
    _, (fault,), _ = read("p", "ada", datetime(2026, 3, 29, 2, 30), 1, timezone="Europe/Berlin")  # noqa: DTZ001
    assert "row 1: occurred_at '2026-03-29 02:30:00' is a time that the clocks of Europe/Berlin skip" in fault
    _, _, (note,) = read("p", "ada", datetime(2026, 10, 25, 2, 30), 1, timezone="Europe/Berlin")  # noqa: DTZ001
    assert "row 1: occurred_at '2026-10-25 02:30:00' came twice by the clocks of Europe/Berlin" in note


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (("p", "ada", NOON, 1.5), "views '1.5' is not a whole number"),
        (("p", "ada", NOON, float("nan")), "views 'nan' is no number"),
        (("p", "ada", NOON, Decimal("NaN")), "views 'NaN' is no number"),
        (("p", "ada", NOON, float("inf")), "views 'inf' is no number"),
        (("p", "ada", NOON, True), "is no number but of type bool"),
        (("p", "ada", NOON, -1), "is negative"),
        (("p", "ada", NOON, 2**63), "is not a whole number of 64 bits"),
        (("p", "ada", None, 1), "occurred_at null does not fit"),
        ((1e20, "ada", NOON, 1), "is a rounded number"),
        (("p", b"\xff", NOON, 1), "persona_id is bytes that are no UTF-8 text"),
        ((None, "ada", NOON, 1), "post_id is empty"),
    ],
)
def test_what_can_not_be_is_refused_in_words(cells: tuple[Cell, ...], expected: str) -> None:
    good, (fault,), _ = read(*cells)
    assert good == []
    assert fault.startswith("row 1: ")
    assert expected in fault


def test_a_value_is_the_text_that_a_csv_export_of_it_would_hold() -> None:
    assert [text_of(cell) for cell in (None, 7, 7.0, 0.5, Decimal("1E+3"), True, date(2026, 3, 1))] == [
        "",
        "7",
        "7",
        "0.5",
        "1000",
        "true",
        "2026-03-01",
    ]
    assert whole_of(-(2**63) + 1) == -(2**63) + 1
