from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.importing.fields import FieldMapping, bind
from agents.importing.rows import RowReader
from agents.importing.sources.source import Row

HEADER = ["post", "who", "at", "words", "seen", "liked"]
COLUMNS = {
    "post_id": ("post",),
    "persona_id": ("who",),
    "occurred_at": ("at",),
    "text": ("words",),
    "views": ("seen",),
    "likes": ("liked",),
}


def reader(*, shift_ms: int = 0, post_per_row: bool = False) -> RowReader:
    mapping = FieldMapping(columns=COLUMNS, time_format="iso8601", post_per_row=post_per_row)
    return RowReader(bind(mapping, HEADER, "x.csv"), shift_ms=shift_ms)


def row(*cells: str, number: int = 1) -> Row:
    return Row(number, number + 1, list(cells))


def reason(cells: Sequence[str], shift_ms: int = 0) -> str:
    block, (fault,) = reader(shift_ms=shift_ms).read([row(*cells)])
    assert len(block.lines) == 0
    return str(fault)


def test_rows_become_columns_in_their_order() -> None:
    rows = [
        row("p1", "ada", "2026-01-01T10:00:00+02:00", "Hi", "7", "0"),
        row("p2", " bo ", "2026-01-01", "Ho", "", "12.0", number=2),
    ]
    rows_in = reader()
    block, faults = rows_in.read(rows)
    assert faults == []
    assert rows_in.kinds == ["view", "like"]
    assert (list(block.numbers), list(block.lines)) == ([1, 2], [2, 3])
    assert block.occurred_ms.tolist() == [1_767_254_400_000, 1_767_225_600_000]
    assert list(block.persona_ids) == ["ada", "bo"]
    assert block.post_ids is not None
    assert (list(block.post_ids), list(block.texts or ())) == (["p1", "p2"], ["Hi", "Ho"])
    assert block.counts.tolist() == [[7, 0], [0, 12]]


def test_a_bad_row_is_left_out_and_its_neighbours_stay() -> None:
    good = ["p1", "ada", "2026-01-01", "Hi", "7", "3"]
    bad = [*good[:4], "-7", "3"]
    rows = [row(*(bad if number in (2, 5) else good), number=number) for number in range(1, 8)]
    rows.append(row("too", "short", number=8))
    block, faults = reader().read(rows)
    assert list(block.numbers) == [1, 3, 4, 6, 7]
    assert block.counts.tolist() == [[7, 3]] * 5
    assert block.occurred_ms.tolist() == [1_767_225_600_000] * 5
    assert [str(fault).partition(":")[0] for fault in faults] == ["line 3", "line 6", "line 9"]


def test_where_every_row_is_a_post_the_row_number_tells_them_apart() -> None:
    rows = [row("t", "ada", "2026-01-01", "Hi", "1", "", number=number) for number in (1, 2)]
    block, _ = reader(post_per_row=True).read(rows)
    assert list(block.post_ids or ()) == ["t-1", "t-2"]


def test_the_shift_moves_every_time() -> None:
    block, _ = reader(shift_ms=86_400_000).read([row("p1", "ada", "2026-01-01", "Hi", "7", "")])
    assert block.occurred_ms.tolist() == [1_767_225_600_000 + 86_400_000]


def test_no_rows_give_no_columns() -> None:
    block, faults = reader().read([])
    assert (len(block.lines), block.counts.shape, faults) == (0, (0, 2), [])


@pytest.mark.parametrize("count", ["-1", "1,000", "1.5", "many", "1_000", "٣", "1e3", "9223372036854775808", "nan"])
def test_a_count_that_is_not_plain_digits_makes_the_row_bad(count: str) -> None:
    message = reason(["p1", "ada", "2026-01-01", "Hi", count, "1"])
    assert message.startswith("line 2: views")
    assert repr(count) in message


def test_everything_wrong_with_a_row_is_said_at_once() -> None:
    message = reason(["", "", "today", "Hi", "-1", "-2"])
    for part in (
        "post_id is empty",
        "persona_id is empty",
        "'today' is not an ISO 8601 time",
        "views '-1'",
        "likes '-2'",
    ):
        assert part in message


@pytest.mark.parametrize(("cell", "shift_ms"), [("2026-01-01", 10**18), ("2026-01-01", 10**15), ("1969-12-31", 0)])
def test_a_time_outside_the_calendar_makes_the_row_bad(cell: str, shift_ms: int) -> None:
    message = reason(["p1", "ada", cell, "Hi", "1", "1"], shift_ms)
    assert f"occurred_at '{cell}' is outside the calendar" in message


def test_a_row_of_another_width_is_bad() -> None:
    assert reason(["p1", "ada"]) == "line 2: has 2 cells, the header has 6"


def test_a_cell_of_any_length_is_shown_in_short() -> None:
    assert len(reason(["p1", "ada", "2026-01-01", "Hi", "9" * 10_000, "1"])) < 250


@given(st.integers(min_value=0, max_value=2**63 - 1), st.integers(0, 3))
def test_every_count_that_fits_is_read_exactly(count: int, zeros: int) -> None:
    block, _ = reader().read([row("p1", "ada", "2026-01-01", "Hi", "0" * zeros + str(count), "0")])
    assert block.counts.tolist() == [[count, 0]]
