"""Records of batches, to be produced to the log."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields
from datetime import UTC, datetime

from schemas.catalogue import topic_named
from schemas.registries.registry import open_registry
from streams.engine.batch import Batch, ColumnBatch
from streams.engine.stage import Output
from streams.kafka.cluster import Cluster
from streams.kafka.producer import EventProducer


def outputs_of(batch: Batch) -> list[Output]:
    """Return the batch's records, in its order."""
    topic = topic_named(batch.source.topic)
    if not isinstance(batch, ColumnBatch):
        return [Output(topic.name, row.record) for row in batch.rows]
    names = {field.name for field in fields(topic.record)}
    found = []
    for row in batch.frame.iter_rows(named=True):
        row["occurred_at"] = datetime.fromtimestamp(row["occurred_at"] / 1000, UTC)
        found.append(Output(topic.name, topic.record(**{name: row[name] for name in names & row.keys()})))
    return found


async def produce(cluster: Cluster, outputs: Iterable[Output]) -> None:
    """Append records to the log."""
    producer = EventProducer(cluster, open_registry(None))
    try:
        await producer.append_all(list(outputs))
    finally:
        await producer.stop()
