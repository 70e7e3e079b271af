"""Column tables: frames of the high-volume topics go to PostgreSQL as CSV that Polars writes, through COPY."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields

import polars as pl
import psycopg
from psycopg import AsyncConnection

from schemas.catalogue import topic_named
from sinks.postgres.connection import exchange
from sinks.postgres.frames import copy_in, copy_out
from sinks.postgres.statements import PLACE, filled
from sinks.postgres.table import Changes
from streams.engine.batch import Batch, ColumnBatch

CHUNK_RECORDS = 50_000  # a COPY of these takes under a second; bounds memory and the time of one statement
_EARLIER = (pl.col("source_partition") < pl.col("source_partition_known")) | (
    (pl.col("source_partition") == pl.col("source_partition_known"))
    & (pl.col("source_offset") < pl.col("source_offset_known"))
)
_KNOWN = {"event_id": pl.String, "source_partition": pl.Int32, "source_offset": pl.Int64}
_TOLD_TYPES = {"count": pl.Int64, "simulated": pl.Int8, "occurred_at": pl.Int64}  # others are text
_TOLD_AS = {
    "simulated": "later.simulated::integer AS simulated",
    "occurred_at": "(extract(epoch FROM later.occurred_at) * 1000)::bigint AS occurred_at",
}  # others as they are


@dataclass(frozen=True, slots=True)
class ColumnTable:
    """A table of events whose columns are the fields of the topic's record, besides where they came from.

    `told` are the columns that totals are made of: `write` returns them of every row that it adds, replaces or is
    replaced.
    """

    name: str
    topic: str
    told: tuple[str, ...] = ()

    @property
    def topics(self) -> tuple[str, ...]:
        """Return the one topic."""
        return (self.topic,)

    @property
    def columns(self) -> tuple[str, ...]:
        """Return the fields of the topic's record, which are columns by the same names."""
        return tuple(field.name for field in fields(topic_named(self.topic).record))

    @property
    def statements(self) -> Mapping[str, bytes]:
        """Return the statements of this table; see sql/facts.sql."""
        columns = (*self.columns, *PLACE)
        told = ("event_id", *self.told)
        return filled(
            "facts.sql",
            table=self.name,
            columns=", ".join(columns),
            assignments=",\n        ".join(f"{name} = staged.{name}" for name in columns if name != "event_id"),
            told=", ".join(told),
            told_before=",\n        ".join(_TOLD_AS.get(name, f"later.{name}") for name in told),
        )

    async def write(self, connection: AsyncConnection, batches: Sequence[Batch], timeout_s: float) -> Changes:
        """Insert the new events of all batches; of several with one id the first in the log stays."""
        changes = []
        for chunk in self._chunks(batches):
            with exchange(connection, f"write {len(chunk)} rows of {self.name}", timeout_s):
                changes += await self._load(connection, chunk)
        return pl.concat(changes)

    def _chunks(self, batches: Sequence[Batch]) -> Iterator[pl.DataFrame]:
        """Yield the rows in the order of their event_id, of each the first in the log."""
        rows = (
            pl.concat([self._rows(batch) for batch in batches if isinstance(batch, ColumnBatch)])
            .sort("event_id", *PLACE)
            .unique(subset="event_id", keep="first", maintain_order=True)
        )
        yield from rows.iter_slices(CHUNK_RECORDS)

    def _rows(self, batch: ColumnBatch) -> pl.DataFrame:
        return batch.frame.select(
            *self.columns,
            pl.lit(batch.source.partition, dtype=pl.Int32).alias("source_partition"),
            pl.col("offset").alias("source_offset"),
        )

    async def _load(self, connection: AsyncConnection, chunk: pl.DataFrame) -> list[Changes]:
        """Copy a chunk; only where the table has some of it already ask which, so that new events need not wait."""
        fresh, kept = chunk, chunk.clear()
        while not await self._insert(connection, fresh):
            known = await self._known(connection, chunk)
            fresh = chunk.join(known, on="event_id", how="anti", maintain_order="left")
            kept = chunk.join(known, on="event_id", suffix="_known", maintain_order="left").filter(_EARLIER)
        changes = [self._changes(fresh, sign=1)]
        if not kept.is_empty():
            changes += await self._replace(connection, kept.select(chunk.columns))
        return changes

    async def _known(self, connection: AsyncConnection, chunk: pl.DataFrame) -> pl.DataFrame:
        sql = self.statements
        await connection.execute(sql["stage_ids"])
        await connection.execute(sql["clear_ids"])
        await copy_in(connection, sql["copy_ids"], chunk.select("event_id"))
        return await copy_out(connection, sql["known"], _KNOWN)

    async def _insert(self, connection: AsyncConnection, rows: pl.DataFrame) -> bool:
        """Copy rows into the table, all or, where it has one of them, none; another worker may have just written it."""
        try:
            async with connection.transaction():  # a savepoint: the sink has begun
                await copy_in(connection, self.statements["copy"], _with_times(rows))
        except psycopg.errors.UniqueViolation:
            return False
        return True

    async def _replace(self, connection: AsyncConnection, rows: pl.DataFrame) -> list[Changes]:
        sql = self.statements
        await connection.execute(sql["stage"])
        await connection.execute(sql["clear"])
        await copy_in(connection, sql["copy_staged"], _with_times(rows))
        told = {"event_id": pl.String, **{name: _TOLD_TYPES.get(name, pl.String) for name in self.told}}
        before = await copy_out(connection, sql["replace"], told)
        now = rows.join(before, on="event_id", how="semi")
        return [self._changes(before, sign=-1), self._changes(now, sign=1)]

    def _changes(self, rows: pl.DataFrame, *, sign: int) -> Changes:
        columns = (pl.col(name).cast(_TOLD_TYPES.get(name, pl.String)) for name in self.told)
        return rows.select(*columns, pl.lit(sign, dtype=pl.Int8).alias("sign"))


def _with_times(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.with_columns(pl.from_epoch("occurred_at", time_unit="ms"))


ENGAGEMENT = ColumnTable(
    "engagement",
    "engagement.events",
    told=("persona_id", "post_id", "kind", "count", "basis", "simulated", "occurred_at"),
)
POSTS = ColumnTable("posts", "posts.published", told=("persona_id", "post_id"))
COSTS = ColumnTable("costs", "cost.events")
REVENUE = ColumnTable("revenue", "revenue.events")

COLUMN_TABLES = (ENGAGEMENT, POSTS, COSTS, REVENUE)
