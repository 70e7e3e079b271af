"""The Postgres sink: the rows of every topic, screened for what it can't hold, in one transaction a checkpoint.

What PostgreSQL can't hold is found before it is sent, so that one record never spoils a COPY: text holds no NUL
character; an index entry has at most 2,704 bytes, so an id has at most MAX_ID_BYTES, two fit; times are in the years 1
to 9999, which Python, Polars and PostgreSQL all read; jsonb has no NaN.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator, Sequence
from dataclasses import fields
from typing import Any, ClassVar

import polars as pl
import psycopg
from psycopg import AsyncConnection

from schemas.records import DeadLetter, Record
from sinks.postgres.column_tables import COLUMN_TABLES, bring_up_to_date
from sinks.postgres.connection import begin_writing, connect, exchange
from sinks.postgres.migrations import migrate
from sinks.postgres.row_tables import ROW_TABLES
from sinks.postgres.table import Table
from sinks.sink import Sink
from streams.engine.batch import Batch, ColumnBatch, RowBatch
from streams.engine.stage import Rejection, Screened
from streams.errors import RecordFault, Unavailable
from streams.postgres_session import COMMIT

MAX_ID_BYTES = 1_000
FIRST_MS = -62_135_596_800_000  # 0001-01-01T00:00:00.000Z
LAST_MS = 253_402_300_799_999  # 9999-12-31T23:59:59.999Z
ID_FIELDS = frozenset(
    {"event_id", "persona_id", "post_id", "draft_id", "publication_id", "content_digest", "source_topic", "window"}
)
_NUL = "\x00"
logger = logging.getLogger(__name__)
TABLES: tuple[Table, ...] = (*ROW_TABLES, *COLUMN_TABLES)


def screen(batch: Batch) -> Screened:
    """Split a batch into the records that PostgreSQL can hold and the others, each with its reason."""
    return _screen_columns(batch) if isinstance(batch, ColumnBatch) else _screen_rows(batch)


def _screen_columns(batch: ColumnBatch) -> Screened:
    frame = batch.frame
    faults = {
        f"{name} holds a NUL character": pl.col(name).str.contains(_NUL, literal=True)
        for name, kind in frame.schema.items()
        if kind == pl.String
    }
    for name in sorted(ID_FIELDS & set(frame.columns)):
        faults[f"{name} is longer than {MAX_ID_BYTES} bytes"] = pl.col(name).str.len_bytes() > MAX_ID_BYTES
    faults["occurred_at is outside the years 1 to 9999"] = ~pl.col("occurred_at").is_between(FIRST_MS, LAST_MS)
    if not any(frame.select(pl.any_horizontal(fault.any() for fault in faults.values())).row(0)):
        return Screened(batch)
    reason = pl.coalesce(*(pl.when(fault).then(pl.lit(text)) for text, fault in faults.items()))
    marked = frame.with_columns(reason.alias("reason"))
    refused = marked.filter(pl.col("reason").is_not_null())
    rejections = tuple(_rejection(offset, why) for offset, why in refused.select("offset", "reason").iter_rows())
    kept = marked.filter(pl.col("reason").is_null()).drop("reason")
    return Screened(ColumnBatch(batch.source, kept) if len(kept) else None, rejections)


def _screen_rows(batch: RowBatch[Any]) -> Screened:
    rows, rejections = [], []
    for row in batch.rows:
        why = next(_faults(row.record), None)
        if why is None:
            rows.append(row)
        else:
            rejections.append(_rejection(row.offset, why))
    if not rejections:
        return Screened(batch)
    return Screened(RowBatch(batch.source, rows) if rows else None, tuple(rejections))


def _faults(record: Record) -> Iterator[str]:
    if isinstance(record, DeadLetter):  # refusing a dead letter for its text would only make another; see row_tables.py
        for name in ("event_id", "source_topic"):
            if len(getattr(record, name).encode()) > MAX_ID_BYTES:
                yield f"{name} is longer than {MAX_ID_BYTES} bytes"
        return
    for field in fields(record):
        yield from _value_faults(field.name, getattr(record, field.name))


def _value_faults(name: str, value: object) -> Iterator[str]:
    if isinstance(value, str):
        if _NUL in value:
            yield f"{name} holds a NUL character"
        if name in ID_FIELDS and len(value.encode()) > MAX_ID_BYTES:
            yield f"{name} is longer than {MAX_ID_BYTES} bytes"
    elif isinstance(value, float):
        if not math.isfinite(value):
            yield f"{name} is {value}, not a finite number"
    elif isinstance(value, Record):
        yield from (
            f"{name}.{fault}"
            for field in fields(value)
            for fault in _value_faults(field.name, getattr(value, field.name))
        )
    elif isinstance(value, tuple) and name != "embedding":
        yield from (fault for item in value for fault in _value_faults(name, item))


def _rejection(offset: int, why: str) -> Rejection:
    return Rejection(offset, RecordFault(f"PostgreSQL can't hold this record: {why}; correct it and send it again"))


class PostgresSink(Sink):
    """Upserts by id into the tables of sinks/postgres/migrations, which it makes and brings up to date itself.

    Which of several records with one id makes the row depends on the records and their offsets alone, so that any
    batching, order or replay ends in the same rows. Tables are written in one order by every worker, rows in the order
    of their ids: workers do not wait for each other in a circle.
    """

    name: ClassVar[str] = "sink-postgres"
    topics: ClassVar[tuple[str, ...]] = tuple(topic for table in TABLES for topic in table.topics)

    def __init__(self, dsn: str, timeout_s: float, schema: str | None = None) -> None:
        """Write into the live tables or, where it is named, into those of `schema`, a version beside them."""
        self._dsn = dsn
        self._schema = schema
        self._timeout_s = timeout_s
        self._connection: AsyncConnection | None = None

    async def open(self) -> None:
        """Make the tables, if the server is there; else the first write does."""
        try:
            await self._connected()
        except Unavailable as error:
            logger.warning("%s; going on, rows are written when it is back", error)

    async def screen(self, batch: Batch) -> Screened:
        return screen(batch)

    async def write(self, batches: Sequence[Batch]) -> None:
        """Load all batches in one transaction; a connection that failed is not used again."""
        try:
            await self._write(batches)
        except psycopg.errors.UndefinedColumn:  # a pooler's session still has staging tables of before a migration
            await self._write(batches, before=b"DISCARD TEMP")

    async def _write(self, batches: Sequence[Batch], before: bytes | None = None) -> None:
        connection = await self._connected()
        try:
            await begin_writing(connection, self._timeout_s, self._schema)
            if before is not None:
                await connection.execute(before)
            changes = {}
            for table in TABLES:
                of_table = [batch for batch in batches if batch.source.topic in table.topics]
                if of_table:
                    changes[table.name] = await table.write(connection, of_table, self._timeout_s)
            await bring_up_to_date(connection, changes.get("engagement"), changes.get("posts"), self._timeout_s)
            with exchange(connection, "commit a transaction in PostgreSQL", self._timeout_s):
                await connection.execute(COMMIT)
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()

    async def _connected(self) -> AsyncConnection:
        if self._connection is None or self._connection.closed:
            connection = await connect(self._dsn, self._timeout_s)
            try:
                for migration in await migrate(connection, self._timeout_s, schema=self._schema):
                    logger.info("applied migration %d (%s)", migration.version, migration.name)
            except BaseException:
                await connection.close()
                raise
            self._connection = connection
        return self._connection
