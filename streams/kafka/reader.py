"""Read a range of a topic once, without a consumer group: for replays, recovery and `consume`."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager

from aiokafka import AIOKafkaConsumer
from aiokafka.structs import ConsumerRecord
from aiokafka.structs import TopicPartition as KafkaPartition

from streams.engine.batch import TopicPartition
from streams.errors import Unavailable
from streams.kafka.connection import client_options
from streams.kafka.faults import CLIENT_ERRORS, translated, translating
from streams.settings import Settings

MAX_PARTITION_FETCH_BYTES = 8 * 2**20
FETCH_MAX_BYTES = 32 * 2**20
POLL_S = 0.5

Bounds = Mapping[TopicPartition, tuple[int, int]]
"""For each partition the first offset to read and the offset behind the last."""


async def log_bounds(settings: Settings, bootstrap: str, source: TopicPartition) -> tuple[int, int]:
    """Return the first offset that the log of a partition still has, and the offset behind its last.

    Raises:
        Unavailable: the broker or the partition is away.
    """
    async with _consumer(settings, bootstrap) as consumer:
        bounds = await _whole(consumer, settings, bootstrap, [KafkaPartition(*source)])
    return bounds[source]


async def read_offsets(
    settings: Settings, bootstrap: str, source: TopicPartition, start: int, end: int
) -> AsyncIterator[Sequence[ConsumerRecord]]:
    """Yield the records of a partition from offset `start` up to, not including, `end`, block by block in order.

    Offsets that retention or compaction took are skipped; reading ends at the end of the log if that comes first.

    Raises:
        Unavailable: no progress within the io time-out.
    """
    async with _consumer(settings, bootstrap) as consumer:
        whole = await _whole(consumer, settings, bootstrap, [KafkaPartition(*source)])
        first, last = whole[source]
        bounds = {source: (max(start, first), min(end, last))}
        async for _, records in _read(consumer, settings, bootstrap, bounds):
            yield records


async def read_range(
    settings: Settings,
    bootstrap: str,
    topic: str,
    *,
    since_ms: int | None = None,
    until_ms: int | None = None,
    partitions: Sequence[int] | None = None,
) -> AsyncIterator[tuple[TopicPartition, Sequence[ConsumerRecord]]]:
    """Yield what a topic holds at the time of the call, block by block, in order within each partition.

    `since_ms` and `until_ms` are broker timestamps in epoch milliseconds: from the first record at or after `since_ms`
    up to the last before the first one at or after `until_ms`.

    Raises:
        Unavailable: the broker or the topic is away, or no progress within the io time-out.
    """
    async with _consumer(settings, bootstrap) as consumer:
        bounds = await range_bounds(consumer, settings, bootstrap, topic, since_ms, until_ms, partitions)
        async for block in _read(consumer, settings, bootstrap, bounds):
            yield block


async def range_size(
    settings: Settings, bootstrap: str, topic: str, *, since_ms: int | None = None, until_ms: int | None = None
) -> int:
    """Return how many offsets `read_range` would cover, for progress bars; compaction makes it an upper bound."""
    async with _consumer(settings, bootstrap) as consumer:
        bounds = await range_bounds(consumer, settings, bootstrap, topic, since_ms, until_ms, None)
    return sum(max(end - start, 0) for start, end in bounds.values())


async def range_bounds(
    consumer: AIOKafkaConsumer,
    settings: Settings,
    bootstrap: str,
    topic: str,
    since_ms: int | None,
    until_ms: int | None,
    partitions: Sequence[int] | None,
) -> Bounds:
    """Return the offsets of a range in each partition of a topic, by broker timestamps."""
    known = await _partitions(consumer, settings, bootstrap, topic)
    chosen = [KafkaPartition(topic, number) for number in (known if partitions is None else partitions)]
    bounds = dict(await _whole(consumer, settings, bootstrap, chosen))
    for limit_ms, is_start in ((since_ms, True), (until_ms, False)):
        if limit_ms is None:
            continue
        with translating(f"looking up offsets of {topic} by time", bootstrap):
            found = await consumer.offsets_for_times(dict.fromkeys(chosen, limit_ms))
        for partition in chosen:
            source = TopicPartition(*partition)
            start, end = bounds[source]
            offset = end if found.get(partition) is None else found[partition].offset
            bounds[source] = (offset, end) if is_start else (start, min(offset, end))
    return bounds


@asynccontextmanager
async def _consumer(settings: Settings, bootstrap: str) -> AsyncIterator[AIOKafkaConsumer]:
    consumer = AIOKafkaConsumer(
        **client_options(settings, bootstrap),
        group_id=None,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        max_partition_fetch_bytes=MAX_PARTITION_FETCH_BYTES,
        fetch_max_bytes=FETCH_MAX_BYTES,
    )
    try:
        with translating("connecting a reader", bootstrap):
            async with asyncio.timeout(settings.io_timeout_s):
                await consumer.start()
        yield consumer
    finally:
        await consumer.stop()


async def _partitions(consumer: AIOKafkaConsumer, settings: Settings, bootstrap: str, topic: str) -> list[int]:
    with translating(f"reading the partitions of {topic}", bootstrap):
        async with asyncio.timeout(settings.io_timeout_s):
            await consumer.topics()
    known = consumer.partitions_for_topic(topic)
    if not known:
        raise Unavailable(f"Kafka at {bootstrap} has no topic {topic}; run `threads-agent topics create`")
    return sorted(known)


async def _whole(
    consumer: AIOKafkaConsumer, settings: Settings, bootstrap: str, partitions: Sequence[KafkaPartition]
) -> Bounds:
    topic = partitions[0].topic if partitions else "no topic"
    with translating(f"reading the offsets of {topic}", bootstrap):
        async with asyncio.timeout(settings.io_timeout_s):
            first = await consumer.beginning_offsets(partitions)
            last = await consumer.end_offsets(partitions)
    return {TopicPartition(*each): (first[each], last[each]) for each in partitions}


async def _read(
    consumer: AIOKafkaConsumer, settings: Settings, bootstrap: str, bounds: Bounds
) -> AsyncIterator[tuple[TopicPartition, Sequence[ConsumerRecord]]]:
    remaining = {KafkaPartition(*source): end for source, (start, end) in bounds.items() if start < end}
    if not remaining:
        return
    consumer.assign(list(remaining))
    for partition in remaining:
        consumer.seek(partition, bounds[TopicPartition(*partition)][0])
    progress = time.monotonic()
    while remaining:
        try:
            fetched = await consumer.getmany(
                *remaining, timeout_ms=int(POLL_S * 1000), max_records=settings.fetch_max_records
            )
            positions = {partition: await consumer.position(partition) for partition in remaining}
        except CLIENT_ERRORS as error:
            raise translated(error, "reading", bootstrap) from error
        for partition, records in fetched.items():
            wanted = [record for record in records if record.offset < remaining[partition]]
            if wanted:
                yield TopicPartition(*partition), wanted
        if fetched:
            progress = time.monotonic()
        elif time.monotonic() - progress > settings.io_timeout_s:
            raise Unavailable(
                f"Kafka at {bootstrap} gave no records of {sorted(remaining)} for {settings.io_timeout_s:g} s"
            )
        done = {partition for partition in remaining if positions[partition] >= remaining[partition]}
        consumer.pause(*done)
        remaining = {partition: end for partition, end in remaining.items() if partition not in done}
