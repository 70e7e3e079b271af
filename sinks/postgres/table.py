"""A table: how records of its topics get into it, statements of sql/ filled in for it, and frames through COPY."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import Any, Literal, Protocol

import polars as pl
from psycopg import AsyncConnection

from streams.engine.batch import Batch
from streams.postgres_session import read_statements

Changes = pl.DataFrame
"""Rows that a transaction added (sign 1) or took back (sign -1): the columns that totals are made of, and sign."""
_DATETIME_FORMAT = "%Y-%m-%dT%H:%M:%S%.3f+00:00"  # Z is an abbreviation, which a server may be told not to know


class Table(Protocol):
    """A table of PostgreSQL that is filled from topics.

    `write` works in the transaction that is open on the connection, in chunks of which none takes longer than
    `timeout_s`. The rows depend on the records and their offsets alone, not on batching, order or repetition.
    It returns what it changed, None where nothing is counted by that.
    """

    @property
    def name(self) -> str: ...

    @property
    def topics(self) -> tuple[str, ...]: ...

    async def write(
        self, connection: AsyncConnection, batches: Sequence[Batch], timeout_s: float
    ) -> Changes | None: ...


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


async def copy_in(connection: AsyncConnection, copy: bytes, frame: pl.DataFrame) -> None:
    """Send a frame's rows by a statement COPY ... FROM STDIN (FORMAT csv) that names its columns in their order."""
    await send(connection, copy, as_csv(frame))


def as_csv(frame: pl.DataFrame) -> memoryview:
    """Return a frame's rows as COPY reads them."""
    # A text \\. alone on its line would end the COPY.
    quotes: Literal["always", "necessary"] = "always" if frame.width == 1 else "necessary"
    buffer = io.BytesIO()
    frame.write_csv(buffer, include_header=False, datetime_format=_DATETIME_FORMAT, quote_style=quotes)
    return buffer.getbuffer()


async def send(connection: AsyncConnection, copy: bytes, rows: memoryview) -> None:
    """Send rows that `as_csv` has written by a statement COPY ... FROM STDIN (FORMAT csv)."""
    async with connection.cursor() as cursor, cursor.copy(copy) as stream:
        await stream.write(rows)


async def copy_out(connection: AsyncConnection, copy: bytes, schema: Mapping[str, Any]) -> pl.DataFrame:
    """Return the rows of a statement COPY ... TO STDOUT (FORMAT csv, HEADER), its columns of the types in `schema`."""
    async with connection.cursor() as cursor, cursor.copy(copy) as stream:
        text = b"".join([bytes(part) async for part in stream])
    return pl.read_csv(text, schema=dict(schema))
