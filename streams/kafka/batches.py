"""Whole batches: many small records to one partition without a future for each."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass

from aiokafka import AIOKafkaProducer
from aiokafka.errors import UnknownTopicOrPartitionError
from aiokafka.structs import RecordMetadata

from streams.engine.batch import TopicPartition


@dataclass(frozen=True, slots=True)
class QueuedBatch:
    """A batch on its way; `acknowledged` gives the offset of its first record."""

    acknowledged: asyncio.Future[RecordMetadata]
    count: int


async def queue_batches(
    client: AIOKafkaProducer, target: TopicPartition, pairs: Iterable[tuple[bytes | None, bytes | None]], wait_s: float
) -> AsyncIterator[QueuedBatch]:
    """Cut pairs into batches of the client's size and queue each, waiting while the one before is not yet sent.

    Raises:
        TimeoutError: a batch could not be queued within `wait_s`: also a client that was closed meanwhile says nothing.
        UnknownTopicOrPartitionError: there is no such partition.
    """
    async with asyncio.timeout(wait_s):
        await know_partition(client, target.topic, target.partition)
    now_ms = time.time_ns() // 1_000_000
    rest = iter(pairs)
    pair = next(rest, None)
    while pair is not None:
        batch = client.create_batch()
        while pair is not None and batch.append(timestamp=now_ms, key=pair[0], value=pair[1]) is not None:
            pair = next(rest, None)
        batch.close()
        count = batch.record_count()
        async with asyncio.timeout(wait_s):
            acknowledged = await client.send_batch(batch, target.topic, partition=target.partition)
        yield QueuedBatch(acknowledged, count)


async def know_partition(client: AIOKafkaProducer, topic: str, partition: int | None) -> None:
    """Have a client learn of a partition that its topic got after the client has looked; None is any partition.

    Raises:
        UnknownTopicOrPartitionError: there is no such partition.
    """
    if partition is None or partition in await client.partitions_for(topic):
        return
    await client.client.force_metadata_update()
    if partition not in await client.partitions_for(topic):
        raise UnknownTopicOrPartitionError(f"{topic} has no partition {partition}")
