"""SQL files: named statements, and columns that the code fills in their order."""

from __future__ import annotations

import re

import pytest

from sinks.postgres.column_tables import COLUMN_TABLES, ColumnTable
from sinks.postgres.sink import TABLES
from sinks.postgres.statements import parse_statements, statements


def test_statements_are_split_by_their_names() -> None:
    found = parse_statements("-- name: one\nSELECT 1;\n-- a comment\n\n-- name: two\nSELECT 2;\n")
    assert dict(found) == {"one": b"SELECT 1;\n-- a comment", "two": b"SELECT 2;"}


@pytest.mark.parametrize("text", ["", "SELECT 1;", "SELECT 1;\n-- name: a\nSELECT 2;", "-- name: a\n1\n-- name: a\n2"])
def test_a_file_without_distinct_names_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected"):
        parse_statements(text)


def columns_named(table: str) -> list[tuple[str, ...]]:
    """Return the columns of COPY, of INSERT and of SELECT."""
    sql = statements(f"{table}.sql")
    text = (sql["copy"] + b"\n" + sql["merge"]).decode()
    return [
        tuple(re.findall(r"\w+", found)) for found in re.findall(r"(?:\(|SELECT[^\n]*)\n((?:    [a-z_, ]+\n)+)", text)
    ]


@pytest.mark.parametrize("table", [table.name for table in TABLES])
def test_copy_insert_and_select_name_the_same_columns(table: str) -> None:
    copied, inserted, selected = columns_named(table)
    assert copied == inserted == selected


@pytest.mark.parametrize("table", COLUMN_TABLES, ids=lambda table: str(table.name))
def test_a_column_table_fills_the_columns_that_its_copy_names(table: ColumnTable) -> None:
    assert columns_named(table.name)[0] == (*table.columns, "occurred_at", "source_partition", "source_offset")
