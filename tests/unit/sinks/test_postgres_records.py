"""Rows take their columns from the records, so that no list of fields is kept twice."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime
from typing import Any, ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st
from psycopg.types.json import Jsonb

from schemas.catalogue import topic_named
from schemas.records import DraftDecided, DraftScored, Record
from sinks.postgres.column_tables import COLUMN_TABLES, ColumnTable
from sinks.postgres.row_tables import ROW_TABLES, RecordColumns, RowTable, draft_row
from streams.json_records import parse_record
from tests.conftest import REPOSITORY

TEXT = st.text(max_size=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark(Record):
    schema_name: ClassVar[str] = "Mark"

    at: int
    text: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Note(Record):
    schema_name: ClassVar[str] = "Note"

    note_id: str
    said_at: datetime
    size: float
    words: tuple[str, ...] = ()
    marks: tuple[Mark, ...] = ()
    first: Mark | None = None


NOTES = st.builds(
    Note,
    note_id=TEXT,
    said_at=st.datetimes(timezones=st.just(UTC)),
    size=st.floats(),
    words=st.lists(TEXT).map(tuple),
    marks=st.lists(st.builds(Mark, at=st.integers(), text=st.none() | TEXT)).map(tuple),
)
NAMES = ("note_id", "said_at", "size", "words", "marks")


def golden(topic: str) -> Record:
    text = (REPOSITORY / "tests" / "golden" / f"{topic}.json").read_text(encoding="utf-8")
    return parse_record(topic_named(topic).record, text)


@given(NOTES, st.sets(st.sampled_from(NAMES)), st.sets(st.sampled_from(NAMES)))
def test_every_field_is_a_column_but_for_what_is_said(note: Note, renamed: set[str], left_out: set[str]) -> None:
    columns = RecordColumns(
        Note, renamed={name: f"the_{name}" for name in renamed}, left_out=("first", *sorted(left_out))
    )
    kept = [name for name in NAMES if name not in left_out]
    expected = {f"the_{name}" if name in renamed else name: getattr(note, name) for name in kept}
    row = columns.row(note)
    assert list(row) == list(columns.nothing) == list(expected)
    assert set(columns.nothing.values()) <= {None}
    assert {name: plain(value) for name, value in row.items()} == {
        name: plain(value) for name, value in expected.items()
    }


def plain(value: object) -> object:
    if isinstance(value, Jsonb):
        return value.obj
    if isinstance(value, tuple):
        return [{"at": each.at, "text": each.text} if isinstance(each, Mark) else each for each in value]
    return repr(value) if isinstance(value, float) else value


@pytest.mark.parametrize("differs", [{"renamed": {"gone": "went"}}, {"left_out": ("first", "gone")}])
def test_a_table_that_names_a_field_that_is_gone_is_refused(differs: dict[str, Any]) -> None:
    with pytest.raises(TypeError, match="Note has no field gone"):
        RecordColumns(Note, **differs)


def test_a_field_with_parts_is_refused_until_the_table_says_its_columns() -> None:
    with pytest.raises(TypeError, match=r"Note\.first has parts: leave it out here"):
        RecordColumns(Note)


@pytest.mark.parametrize("table", COLUMN_TABLES, ids=lambda table: table.name)
def test_a_table_of_columns_has_every_field_of_its_record(table: ColumnTable) -> None:
    assert set(table.columns) == {field.name for field in fields(topic_named(table.topic).record)}
    assert set(table.told) <= set(table.columns)


@pytest.mark.parametrize("table", ROW_TABLES, ids=lambda table: table.name)
def test_all_records_of_a_table_give_the_same_columns_in_one_order(table: RowTable) -> None:
    rows = [tuple(table.row_of(golden(topic))) for topic in table.topics]
    assert len(set(rows)) == 1
    assert {*table.upsert.key, *table.upsert.rank} <= {*rows[0], *table.place}


def test_a_draft_row_says_nothing_of_what_came_later_in_its_life() -> None:
    decided = golden("drafts.rejected")
    assert isinstance(decided, DraftDecided)
    head: dict[str, Any] = {"event_id": "e", "occurred_at": decided.occurred_at, "persona_id": decided.persona_id}
    generated, scored = decided.draft, DraftScored(**head, draft=decided.draft, quality=decided.quality)
    known = {"status", "precedence", "event_at"}
    of_all = {name: draft_row(event) for name, event in (("g", generated), ("s", scored), ("d", decided))}
    quality = {"score", "threshold", "passed", "features"}
    decision = {"reasons", "near_duplicate_id", "near_duplicate_similarity", "embedding_model", "decided_at"}
    empty = dict.fromkeys(quality | decision) | {"reasons": []}
    assert {name: of_all["g"][name] for name in empty} == empty
    assert {name: of_all["s"][name] for name in decision} == {name: empty[name] for name in decision}
    assert of_all["s"]["score"] == of_all["d"]["score"] == decided.quality.score
    assert [of_all[each]["status"] for each in "gsd"] == ["generated", "scored", "rejected"]
    assert [of_all[each]["precedence"] for each in "gsd"] == [2, 1, 0]
    same = of_all["g"].keys() - known - quality - decision - {"steps"}
    assert all(of_all["g"][name] == of_all["s"][name] == of_all["d"][name] for name in same)


def test_text_of_a_dead_letter_is_made_holdable_wherever_it_stands() -> None:
    letter = golden("dead.letters")
    texts = {field.name: "a\x00b" for field in fields(letter) if isinstance(getattr(letter, field.name), str)}
    [table] = [table for table in ROW_TABLES if table.name == "dead_letters"]
    row = table.row_of(replace(letter, **texts))
    assert {row[name] for name in texts} == {"a\N{REPLACEMENT CHARACTER}b"}
