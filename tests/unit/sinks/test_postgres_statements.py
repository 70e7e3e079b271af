"""Statements of the PostgreSQL sink: which rows they keep, and columns that the code fills in their order."""

from __future__ import annotations

import re

import polars as pl

from sinks.postgres.column_tables import ENGAGEMENT, placed, post_sums, totals_statements, with_first_day
from sinks.postgres.table import Upsert, filled, upsert_statements

CHANGE_TYPES: dict[str, type[pl.DataType]] = {
    "count": pl.Int64,
    "simulated": pl.Int8,
    "occurred_at": pl.Int64,
    "sign": pl.Int8,
}
STARTS = {"number": pl.UInt32, "counted_from": pl.Int64, "is_published": pl.Int8}


def test_shared_statements_are_filled_in_for_a_table() -> None:
    sql = filled("facts.sql", **dict.fromkeys(("table", "columns", "assignments", "told", "told_before"), "this"))
    assert sql["copy"] == b"COPY this (this) FROM STDIN (FORMAT csv);"
    assert not [name for name, text in sql.items() if b"{" in text]


def test_of_rows_with_one_key_the_first_stays() -> None:
    sql = upsert_statements(Upsert("notes", ("id",), rank=("at", "place")), ("id", "at", "place", "text"))
    assert sql["copy"] == b"COPY staged_notes (id, at, place, text) FROM STDIN;"
    assert without_comments(sql["merge"]) == (
        "INSERT INTO notes AS kept (id, at, place, text) "
        "SELECT DISTINCT ON (id) id, at, place, text FROM staged_notes ORDER BY id, at, place "
        "ON CONFLICT (id) DO UPDATE SET at = EXCLUDED.at, place = EXCLUDED.place, text = EXCLUDED.text "
        "WHERE (EXCLUDED.at, EXCLUDED.place) < (kept.at, kept.place);"
    )


def test_of_rows_with_one_key_the_last_stays_where_the_table_says_so() -> None:
    sql = upsert_statements(Upsert("notes", ("a", "b"), keeps="last", rank=("at",)), ("a", "b", "at"))
    assert without_comments(sql["merge"]) == (
        "INSERT INTO notes AS kept (a, b, at) "
        "SELECT DISTINCT ON (a, b) a, b, at FROM staged_notes ORDER BY a, b, at DESC "
        "ON CONFLICT (a, b) DO UPDATE SET at = EXCLUDED.at WHERE (EXCLUDED.at) > (kept.at);"
    )


def without_comments(sql: bytes) -> str:
    """Return a statement as one line."""
    return " ".join(line.strip() for line in sql.decode().splitlines() if not line.startswith("--"))


def test_sums_by_post_fill_the_columns_that_their_copy_names() -> None:
    types = {name: CHANGE_TYPES.get(name, pl.String) for name in (*ENGAGEMENT.told, "sign")}
    changes = pl.DataFrame(schema=types)
    sums = with_first_day(placed(post_sums(changes), pl.DataFrame(schema=STARTS)), changes)
    assert tuple(sums.columns) == columns_copied(totals_statements()["copy_posts"])


def columns_copied(sql: bytes) -> tuple[str, ...]:
    """Return the columns that a COPY names."""
    [columns] = re.findall(r"\(\n((?:    [a-z_, ]+\n)+)", sql.decode())
    return tuple(re.findall(r"\w+", columns))
