"""The changelog on Kafka: a compacted topic for each input topic of a stateful stage."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from streams.engine.batch import TopicPartition
from streams.kafka.log_reader import LogReader
from streams.kafka.producer import EventProducer
from streams.kafka.reader import read_offsets
from streams.kafka.topic_ids import TopicNow
from streams.kafka.topics import ensure_partitions, ensure_topic, partition_counts
from streams.settings import Settings
from streams.state.changelogged import Changes

CHANGELOG_CONFIG = {
    "cleanup.policy": "compact",
    "min.cleanable.dirty.ratio": "0.1",
    "segment.bytes": str(64 * 2**20),
    "segment.ms": str(3600 * 1000),
    "delete.retention.ms": str(7 * 24 * 3600 * 1000),  # a local store may be this old and still learn of deletions
}


def changelog_name(role: str, stage: str, source_topic: str) -> str:
    """Return the name of the changelog that a stage of a role has for one of its topics."""
    return f"{role}.{stage}.{source_topic}.changelog"


class KafkaChangelog:
    """Changelogs named `<role>.<stage>.<topic>.changelog`, partition by partition beside their source."""

    def __init__(self, role: str, stage: str, producer: EventProducer, bootstrap: str, settings: Settings) -> None:
        self._role = role
        self._stage = stage
        self._producer = producer
        self._bootstrap = bootstrap
        self._settings = settings
        self._partitions: dict[str, int] = {}
        self._shapes: dict[str, TopicNow] = {}
        self._making = asyncio.Lock()

    def _topic(self, source_topic: str) -> str:
        return changelog_name(self._role, self._stage, source_topic)

    async def _make(self, source_topic: str, least: int) -> None:
        """Create the changelog of a source topic, or give it the partitions that its source has got since."""
        name = self._topic(source_topic)
        there = await ensure_partitions(self._settings, self._bootstrap, name, least)
        if there == 0:
            counts = await partition_counts(self._settings, self._bootstrap, [source_topic])
            there = max(counts[source_topic], least)
            await ensure_topic(self._settings, self._bootstrap, name, there, CHANGELOG_CONFIG)
        self._partitions[source_topic] = there

    async def append(self, source: TopicPartition, changes: Changes) -> int:
        return await self._producer.append_raw(self._topic(source.topic), source.partition, changes) + 1

    async def bounds(self, source: TopicPartition) -> tuple[int, int]:
        async with self._making:
            if source.partition >= self._partitions.get(source.topic, 0):
                await self._make(source.topic, source.partition + 1)
        beside = self._beside(source)
        async with LogReader(self._settings, self._bootstrap) as reader:
            self._shapes |= await reader.topics_now([beside.topic])
            return (await reader.whole([beside]))[beside]

    def identity(self, source: TopicPartition) -> str | None:
        shape = self._shapes.get(self._topic(source.topic))
        return None if shape is None else shape.topic_id

    async def read(self, source: TopicPartition, start: int, end: int) -> AsyncIterator[Changes]:
        async for records in read_offsets(self._settings, self._bootstrap, self._beside(source), start, end):
            yield [(record.key, record.value) for record in records if record.key is not None]

    def _beside(self, source: TopicPartition) -> TopicPartition:
        return TopicPartition(self._topic(source.topic), source.partition)
