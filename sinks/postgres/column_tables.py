"""Column tables: frames of the high-volume topics go to PostgreSQL as CSV that Polars writes, through COPY."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import polars as pl
from psycopg import AsyncConnection

from sinks.postgres.connection import exchange
from sinks.postgres.statements import statements
from streams.engine.batch import Batch, ColumnBatch

CHUNK_RECORDS = 50_000  # a COPY of these takes under a second; bounds memory and the time of one statement
_DATETIME_FORMAT = "%Y-%m-%dT%H:%M:%S%.3fZ"


@dataclass(frozen=True, slots=True)
class ColumnTable:
    """A table of events whose columns are fields of the topic's record, besides where they came from."""

    name: str
    topics: tuple[str, ...]
    columns: tuple[str, ...]

    async def write(self, connection: AsyncConnection, batches: Sequence[Batch], timeout_s: float) -> None:
        """Insert the new events of all batches; of several with one id the first in the log stays."""
        for chunk in self._chunks(batches):
            with exchange(connection, f"write {len(chunk)} rows of {self.name}", timeout_s):
                await self._load(connection, chunk)

    def _chunks(self, batches: Sequence[Batch]) -> Iterator[pl.DataFrame]:
        """Yield the rows in the order of their event_id, of each the first in the log."""
        rows = (
            pl.concat([self._rows(batch) for batch in batches if isinstance(batch, ColumnBatch)])
            .sort("event_id", "source_partition", "source_offset")
            .unique(subset="event_id", keep="first", maintain_order=True)
        )
        yield from rows.iter_slices(CHUNK_RECORDS)

    async def _load(self, connection: AsyncConnection, chunk: pl.DataFrame) -> None:
        sql = statements(f"{self.name}.sql")
        await connection.execute(sql["stage"])
        await connection.execute(sql["clear"])
        buffer = io.BytesIO()
        chunk.write_csv(buffer, include_header=False, datetime_format=_DATETIME_FORMAT)
        async with connection.cursor() as cursor:
            async with cursor.copy(sql["copy"]) as copy:
                await copy.write(buffer.getbuffer())
            await cursor.execute(sql["merge"])
            if cursor.rowcount < len(chunk):
                await cursor.execute(sql["settle"])

    def _rows(self, batch: ColumnBatch) -> pl.DataFrame:
        return batch.frame.select(
            *self.columns,
            pl.from_epoch("occurred_at", time_unit="ms"),
            pl.lit(batch.source.partition, dtype=pl.Int32).alias("source_partition"),
            pl.col("offset").alias("source_offset"),
        )


_MARKS = ("source", "simulated", "causation_id")

ENGAGEMENT = ColumnTable(
    "engagement", ("engagement.events",), ("event_id", "persona_id", "post_id", "kind", "count", *_MARKS)
)
POSTS = ColumnTable("posts", ("posts.published",), ("event_id", "persona_id", "post_id", "draft_id", "text", *_MARKS))
COSTS = ColumnTable(
    "costs",
    ("cost.events",),
    (
        "event_id",
        "persona_id",
        "request_id",
        "step",
        "model",
        "prompt_tokens",
        "cached_tokens",
        "completion_tokens",
        "reasoning_tokens",
        "cost_micros",
        "latency_ms",
        "causation_id",
    ),
)
REVENUE = ColumnTable(
    "revenue", ("revenue.events",), ("event_id", "persona_id", "kind", "amount_micros", "subscription_id", *_MARKS)
)

COLUMN_TABLES = (ENGAGEMENT, POSTS, COSTS, REVENUE)
