"""Statements: those of the .sql files in sinks/postgres/sql, some of them with a table filled in."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

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
