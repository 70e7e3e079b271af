"""Statements: those of the .sql files in sinks/postgres/sql, filled in for a table, and which of its rows stay."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import Literal

from streams.sql_file import read_statements


def statements(file_name: str) -> Mapping[str, bytes]:
    """Return the named statements of a file in sinks/postgres/sql."""
    return read_statements("sinks.postgres", "sql", file_name)


def filled(file_name: str, **parts: str) -> Mapping[str, bytes]:
    """Return the named statements of a file that tables share, `{part}` by `{part}` filled in.

    Parts are SQL as it stands in the statement: names of our own tables and columns, never a value.
    """
    return MappingProxyType(
        {name: sql.decode().format_map(parts).encode() for name, sql in statements(file_name).items()}
    )


Row = dict[str, object]
"""The values of a row by column; all rows of a table have the same columns, in one order."""

PLACE = ("source_partition", "source_offset")


@dataclass(frozen=True, slots=True)
class Upsert:
    """Rows of a table by `key`: of several with one key the first or the last stays, in the order of `rank`.

    The rank tells any two rows of a key apart, so that the table is the same after any batching, order or replay.
    """

    table: str
    key: tuple[str, ...]
    keeps: Literal["first", "last"] = "first"
    rank: tuple[str, ...] = PLACE


@cache
def upsert_statements(upsert: Upsert, columns: tuple[str, ...]) -> Mapping[str, bytes]:
    """Return `stage`, `clear`, `copy` and `merge` of rows with these columns; see sql/upserts.sql."""
    others = [name for name in columns if name not in upsert.key]
    descending = " DESC" if upsert.keeps == "last" else ""
    return filled(
        "upserts.sql",
        table=upsert.table,
        columns=", ".join(columns),
        key=", ".join(upsert.key),
        order=", ".join(f"{name}{descending}" for name in upsert.rank),
        assignments=",\n    ".join(f"{name} = EXCLUDED.{name}" for name in others),
        precedes=">" if upsert.keeps == "last" else "<",
        excluded_rank=", ".join(f"EXCLUDED.{name}" for name in upsert.rank),
        kept_rank=", ".join(f"kept.{name}" for name in upsert.rank),
    )
