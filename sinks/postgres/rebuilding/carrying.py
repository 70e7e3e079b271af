"""Carrying over: rows of the live version whose records are no longer in the log are put into the rebuilt one.

Facts that totals are made of go through the sink's own writing, so that the totals count them; other rows are copied.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

import polars as pl
from psycopg import AsyncConnection

from schemas.catalogue import topic_named
from schemas.codec.projection import reader_dtypes
from schemas.definitions import working_record
from sinks.postgres.rebuilding.comparing import TableStatements
from sinks.postgres.sink import PostgresSink
from streams.engine.batch import ColumnBatch, TopicPartition

CHUNK_ROWS = 20_000
_AS_FRAME = {"occurred_at": "(extract(epoch FROM live.occurred_at) * 1000)::bigint"}  # others as they are


async def carry(connection: AsyncConnection, of: TableStatements, sink: PostgresSink) -> int:
    """Put the rows of kind `gone` into the rebuilt table; return how many.

    Rows are in the transaction that is open, or, of the tables of facts, in those of the sink, which must write into
    the rebuilt version. Done twice, it changes nothing.
    """
    if of.table.place is None:
        return 0
    if not of.table.is_columns:
        return (await connection.execute(of["carry_rows"])).rowcount
    carried = 0
    async for batch in _batches(connection, of):
        await sink.write([batch])
        carried += len(batch.frame)
    return carried


async def _batches(connection: AsyncConnection, of: TableStatements) -> AsyncIterator[ColumnBatch]:
    [topic] = of.table.topics
    schema = reader_dtypes(working_record(topic_named(topic).record.schema_name))
    columns = ", ".join(_AS_FRAME.get(name, f"live.{name}") for name in schema)
    async with connection.cursor(name="carried") as cursor:
        await cursor.execute(of.filled("carried_frame", live_frame_columns=columns))
        while rows := await cursor.fetchmany(CHUNK_ROWS):
            frame = pl.DataFrame(
                rows, schema={**schema, "source_partition": pl.Int32, "offset": pl.Int64}, orient="row"
            )
            for (partition,), part in frame.group_by("source_partition", maintain_order=True):
                yield ColumnBatch(TopicPartition(topic, int(str(partition))), part.drop("source_partition"))
