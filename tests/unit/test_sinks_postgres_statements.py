"""SQL files: named statements, and columns that the code fills in their order."""

from __future__ import annotations

import re

import polars as pl
import pytest

from sinks.postgres.column_tables import COLUMN_TABLES, ENGAGEMENT, ColumnTable
from sinks.postgres.post_sums import placed, post_sums, with_first_day
from sinks.postgres.row_tables import ROW_TABLES
from sinks.postgres.statements import parse_statements, statements

CHANGE_TYPES: dict[str, type[pl.DataType]] = {
    "count": pl.Int64,
    "simulated": pl.Int8,
    "occurred_at": pl.Int64,
    "sign": pl.Int8,
}
STARTS = {"number": pl.UInt32, "counted_from": pl.Int64, "is_published": pl.Int8}


def test_statements_are_split_by_their_names() -> None:
    found = parse_statements("-- name: one\nSELECT 1;\n-- a comment\n\n-- name: two\nSELECT 2;\n")
    assert dict(found) == {"one": b"SELECT 1;\n-- a comment", "two": b"SELECT 2;"}


@pytest.mark.parametrize("text", ["", "SELECT 1;", "SELECT 1;\n-- name: a\nSELECT 2;", "-- name: a\n1\n-- name: a\n2"])
def test_a_file_without_distinct_names_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected"):
        parse_statements(text)


def columns_named(text: str) -> list[tuple[str, ...]]:
    """Return the columns of COPY, of INSERT and of SELECT."""
    return [
        tuple(re.findall(r"\w+", found)) for found in re.findall(r"(?:\(|SELECT[^\n]*)\n((?:    [a-z_, ]+\n)+)", text)
    ]


def copied(sql: bytes) -> tuple[str, ...]:
    """Return the columns that a COPY names."""
    [columns] = columns_named(sql.decode())
    return columns


@pytest.mark.parametrize("table", [table.name for table in ROW_TABLES])
def test_copy_insert_and_select_name_the_same_columns(table: str) -> None:
    sql = statements(f"{table}.sql")
    copied, inserted, selected = columns_named((sql["copy"] + b"\n" + sql["merge"]).decode())
    assert copied == inserted == selected


@pytest.mark.parametrize("table", COLUMN_TABLES, ids=lambda table: str(table.name))
def test_a_column_table_fills_and_replaces_the_columns_that_its_copy_names(table: ColumnTable) -> None:
    sql = statements(f"{table.name}.sql")
    columns = (*table.columns, "occurred_at", "source_partition", "source_offset")
    assert copied(sql["copy"]) == copied(sql["copy_staged"]) == columns
    replaced = re.findall(r"^        (\w+) = staged\.(\w+),?$", sql["replace"].decode(), re.MULTILINE)
    assert [(name, name) for name in columns if name != "event_id"] == replaced


def test_sums_by_post_fill_the_columns_that_their_copy_names() -> None:
    types = {name: CHANGE_TYPES.get(name, pl.String) for name in (*ENGAGEMENT.told, "sign")}
    changes = pl.DataFrame(schema=types)
    sums = with_first_day(placed(post_sums(changes), pl.DataFrame(schema=STARTS)), changes)
    assert tuple(sums.columns) == copied(statements("totals.sql")["copy_posts"])
