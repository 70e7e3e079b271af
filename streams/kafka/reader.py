"""Read a range of a topic once, without a consumer group: for replays, recovery and `consume`."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Sequence
from typing import Literal

from aiokafka.structs import ConsumerRecord

from streams.engine.batch import TopicPartition
from streams.kafka.log_reader import Block, Bounds, LogReader
from streams.kafka.topic_ids import TopicNow
from streams.kafka.topics import partition_counts
from streams.settings import Settings

logger = logging.getLogger(__name__)


async def log_bounds(settings: Settings, bootstrap: str, source: TopicPartition) -> tuple[int, int]:
    """Return the first offset that the log of a partition still has, and the offset behind its last.

    Raises:
        Unavailable: the broker or the partition is away.
    """
    async with LogReader(settings, bootstrap) as reader:
        return (await reader.whole([source]))[source]


async def read_offsets(
    settings: Settings, bootstrap: str, source: TopicPartition, start: int, end: int
) -> AsyncGenerator[Sequence[ConsumerRecord], None]:
    """Yield the records of a partition from offset `start` up to, not including, `end`, block by block in order.

    Offsets that retention or compaction took are skipped; reading ends at the end of the log if that comes first.

    Raises:
        Unavailable: the broker is away, or no record came within the io time-out.
    """
    async with LogReader(settings, bootstrap) as reader:
        first, last = (await reader.whole([source]))[source]
        async for _, records in reader.read({source: (max(start, first), min(end, last))}):
            yield records


async def read_range(
    settings: Settings,
    bootstrap: str,
    topic: str,
    *,
    since_ms: int | None = None,
    until_ms: int | None = None,
    partitions: Sequence[int] | None = None,
) -> AsyncGenerator[Block, None]:
    """Yield what a topic holds at the time of the call, block by block, in order within each partition.

    `since_ms` and `until_ms` are broker timestamps in epoch milliseconds: from the first record at or after `since_ms`
    up to, not including, the first at or after `until_ms`.

    Raises:
        Unavailable: the broker or the topic is away, or no record came within the io time-out.
    """
    sources = await _sources(settings, bootstrap, topic, partitions)
    async with LogReader(settings, bootstrap) as reader:
        async for block in reader.read(await _bounds(reader, sources, since_ms, until_ms)):
            yield block


async def follow(
    settings: Settings, bootstrap: str, topic: str, start: Literal["beginning", "latest"]
) -> AsyncGenerator[Block, None]:
    """Yield what a topic holds (from `beginning`), then whatever is appended, without end.

    Partitions that the topic gets meanwhile are read too; one that is made again is read from its beginning.

    Raises:
        Unavailable: the broker or the topic is away at the start.
    """
    positions: dict[TopicPartition, int] = {}
    before: TopicNow | None = None
    while True:
        sources = await _sources(settings, bootstrap, topic, None)
        async with LogReader(settings, bootstrap) as reader:
            shapes = await reader.topics_now([topic])
            if before is not None and shapes[topic].is_another_than(before):
                logger.warning("%s was made again; it is read from its beginning", topic)
                positions.clear()
            at_end = start == "latest" and before is None
            for source, (first, last) in (await reader.whole(sources)).items():
                positions[source] = max(positions.get(source, last if at_end else first), first)
            before = shapes[topic]
            async for source, records in reader.follow({source: positions[source] for source in sources}, shapes):
                positions[source] = records[-1].offset + 1 if records else positions[source]
                yield source, records


async def range_size(
    settings: Settings, bootstrap: str, topic: str, *, since_ms: int | None = None, until_ms: int | None = None
) -> int:
    """Return how many offsets `read_range` would cover, for progress bars; compaction makes it an upper bound."""
    sources = await _sources(settings, bootstrap, topic, None)
    async with LogReader(settings, bootstrap) as reader:
        bounds = await _bounds(reader, sources, since_ms, until_ms)
    return sum(max(end - start, 0) for start, end in bounds.values())


async def _sources(
    settings: Settings, bootstrap: str, topic: str, partitions: Sequence[int] | None
) -> list[TopicPartition]:
    if partitions is None:
        partitions = range((await partition_counts(settings, bootstrap, [topic]))[topic])
    return [TopicPartition(topic, number) for number in partitions]


async def _bounds(
    reader: LogReader, sources: Sequence[TopicPartition], since_ms: int | None, until_ms: int | None
) -> Bounds:
    bounds = await reader.whole(sources)
    if since_ms is not None:
        starts = await reader.at_time(sources, since_ms)
        bounds = {source: (_or(starts[source], end), end) for source, (_, end) in bounds.items()}
    if until_ms is not None:
        ends = await reader.at_time(sources, until_ms)
        bounds = {source: (start, min(_or(ends[source], end), end)) for source, (start, end) in bounds.items()}
    return bounds


def _or(offset: int | None, end: int) -> int:
    return end if offset is None else offset
