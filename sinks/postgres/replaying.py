"""PostgreSQL as the target of a replay: the sink, with larger transactions, and nothing sent that was just written."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager

import polars as pl
from psycopg import AsyncConnection

from schemas.records import LogPosition
from sinks.postgres.connection import begin_writing, exchange
from sinks.postgres.replayed_blocks import known_blocks, remember_blocks, tables_of
from sinks.postgres.sink import PostgresSink
from streams.engine.batch import Batch, ColumnBatch, TopicPartition
from streams.postgres_session import COMMIT
from streams.replaying.target import KnownRange

CHUNK_RECORDS = 400_000  # the totals of a post are brought up to date once in so many
LOOK_TIMEOUT_S = 600.0  # rows of the range are counted


class PostgresTarget(PostgresSink):
    """The sink, fed with ranges of the log in order.

    A record that was sent twice stands near the first in the log. Where a COPY meets one that is there it is undone and
    asked for anew, so those that the chunk before has written are left out.
    """

    chunk_records = CHUNK_RECORDS

    def __init__(self, dsn: str, timeout_s: float, schema: str | None = None) -> None:
        super().__init__(dsn, timeout_s, schema)
        self._before: dict[TopicPartition, pl.DataFrame] = {}

    async def write(self, batches: Sequence[Batch]) -> None:
        """Write what the chunk before has not; see `PostgresSink.write`."""
        await super().write([self._without_known(batch) for batch in batches])
        self._remember(batches)

    async def known(
        self, positions: Sequence[LogPosition], topic_ids: Mapping[str, str | None]
    ) -> Sequence[KnownRange]:
        """Return the blocks that a replay has written whole before, and of which no row is missing."""
        found: list[KnownRange] = []
        async with self._transaction("look for what was replayed before") as connection:
            for table, of_table in tables_of(positions):
                topic_id = topic_ids.get(table.topic)
                if topic_id is not None:
                    found += await known_blocks(connection, table, topic_id, of_table)
        return found

    async def remember(self, positions: Sequence[LogPosition], topic_ids: Mapping[str, str | None]) -> None:
        """Note the blocks that are written whole now."""
        async with self._transaction("note what was replayed") as connection:
            for table, of_table in tables_of(positions):
                topic_id = topic_ids.get(table.topic)
                if topic_id is not None:
                    await remember_blocks(connection, table, topic_id, of_table)

    @asynccontextmanager
    async def _transaction(self, purpose: str) -> AsyncIterator[AsyncConnection]:
        connection = await self._connected()
        try:
            await begin_writing(connection, LOOK_TIMEOUT_S, self._schema)
            with exchange(connection, f"{purpose} in PostgreSQL", LOOK_TIMEOUT_S):
                yield connection
                await connection.execute(COMMIT)
        except BaseException:
            await self.close()
            raise

    def _without_known(self, batch: Batch) -> Batch:
        known = self._before.get(batch.source)
        if known is None or not isinstance(batch, ColumnBatch):
            return batch
        return ColumnBatch(batch.source, batch.frame.join(known, on="event_id", how="anti", maintain_order="left"))

    def _remember(self, batches: Sequence[Batch]) -> None:
        ids: dict[TopicPartition, list[pl.DataFrame]] = {}
        for batch in batches:
            if isinstance(batch, ColumnBatch):
                ids.setdefault(batch.source, []).append(batch.frame.select("event_id"))
        self._before = {source: pl.concat(frames) for source, frames in ids.items()}
