"""Partials read from their topic once more: by a state that was rebuilt, and by who rebuilds and compares it."""

from __future__ import annotations

from collections.abc import AsyncIterator

from agents.kpis.partials import TOPIC
from schemas.catalogue import topic_named
from schemas.codec.rows import RowCodec
from schemas.errors import DecodeFault
from schemas.records import KpiPartial
from streams.engine.batch import Row, RowBatch, TopicPartition
from streams.kafka.cluster import Cluster
from streams.kafka.log_reader import read_offsets
from streams.validation import schema_faults


async def read_partials(
    cluster: Cluster, source: TopicPartition, start: int, end: int
) -> AsyncIterator[RowBatch[KpiPartial]]:
    """Yield the partials of a partition in [start, end), without what can't be decoded (a dead letter from before).

    Raises:
        Unavailable: the broker or the registry is away.
    """
    codec, topic = RowCodec(cluster.open_registry()), topic_named(TOPIC)
    async for records in read_offsets(cluster, source, start, end):
        rows = list[Row[KpiPartial]]()
        for record in records:
            try:
                with schema_faults():
                    partial = codec.decode(topic, record.value or b"")
            except DecodeFault:
                continue
            assert isinstance(partial, KpiPartial)
            rows.append(Row(record.offset, partial))
        if rows:
            yield RowBatch(source, rows)
