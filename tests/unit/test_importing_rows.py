from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.importing.csv_source import CsvRow
from agents.importing.fields import FieldMapping, bind
from agents.importing.rows import RowReader
from streams.errors import RecordFault

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
    return RowReader(bind(mapping, HEADER, "x.csv"), source_key="key", source="import:x.csv", shift_ms=shift_ms)


def row(*cells: str, number: int = 1) -> CsvRow:
    return CsvRow(number, number + 1, list(cells))


def reason(cells: Sequence[str]) -> str:
    with pytest.raises(RecordFault) as caught:
        reader().events(row(*cells))
    return str(caught.value)


def test_a_row_gives_one_event_for_each_kind_that_is_not_zero() -> None:
    found = reader().events(row("p1", "ada", "2026-01-01T10:00:00+02:00", "Hi", "7", "0"))
    assert [(event.kind, event.count) for event in found.engagement] == [("view", 7)]
    event = found.engagement[0]
    assert event.occurred_at == datetime(2026, 1, 1, 8, tzinfo=UTC)
    assert (event.persona_id, event.post_id, event.source, event.simulated) == ("ada", "p1", "import:x.csv", False)


def test_an_empty_count_is_none_and_a_whole_decimal_is_read() -> None:
    found = reader().events(row("p1", "ada", "2026-01-01", "Hi", "", "12.0"))
    assert [(event.kind, event.count) for event in found.engagement] == [("like", 12)]


def test_the_same_row_has_the_same_ids_in_every_run_and_other_rows_have_others() -> None:
    cells = ("p1", "ada", "2026-01-01", "Hi", "7", "3")
    first, again = (reader().events(row(*cells)).engagement for _ in range(2))
    other = reader().events(row(*cells, number=2)).engagement
    assert first == again
    assert len({event.event_id for event in (*first, *other)}) == 4


def test_a_post_is_published_once_however_many_rows_name_it() -> None:
    rows = reader()
    posts = [rows.events(row(post, "ada", "2026-01-01", "Hi", "1", "1")).post for post in ("p1", "p2", "p1")]
    assert [post.post_id if post else None for post in posts] == ["p1", "p2", None]


def test_where_every_row_is_a_post_the_row_number_tells_them_apart() -> None:
    rows = reader(post_per_row=True)
    posts = [rows.events(row("t", "ada", "2026-01-01", "Hi", "1", "", number=n)).post for n in (1, 2)]
    assert [post.post_id for post in posts if post] == ["t-1", "t-2"]


def test_the_shift_moves_events_and_posts_alike_and_keeps_their_ids() -> None:
    cells = row("p1", "ada", "2026-01-01", "Hi", "7", "")
    plain, shifted = reader().events(cells), reader(shift_ms=86_400_000).events(cells)
    assert shifted.engagement[0].occurred_at == datetime(2026, 1, 2, tzinfo=UTC)
    assert shifted.post is not None
    assert shifted.post.occurred_at == datetime(2026, 1, 2, tzinfo=UTC)
    assert shifted.engagement[0].event_id == plain.engagement[0].event_id


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


def test_a_time_outside_the_calendar_makes_the_row_bad() -> None:
    late = reader(shift_ms=10**18)
    with pytest.raises(RecordFault, match="occurred_at '2026-01-01' is outside the calendar"):
        late.events(row("p1", "ada", "2026-01-01", "Hi", "1", "1"))


def test_a_row_of_another_width_is_bad() -> None:
    assert reason(["p1", "ada"]) == "line 2: has 2 cells, the header has 6"


@given(st.integers(min_value=0, max_value=2**63 - 1))
def test_every_count_that_fits_is_read_exactly(count: int) -> None:
    found = reader().events(row("p1", "ada", "2026-01-01", "Hi", str(count), "0")).engagement
    assert [event.count for event in found] == ([count] if count else [])
