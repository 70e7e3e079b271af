"""The changelog on Kafka: a compacted topic for each input topic of a stateful stage."""

from __future__ import annotations

from collections.abc import AsyncIterator

from streams.engine.batch import TopicPartition
from streams.kafka.producer import EventProducer
from streams.kafka.reader import log_bounds, read_offsets
from streams.kafka.topics import ensure_topic
from streams.settings import Settings
from streams.state.changelogged import Changes

CHANGELOG_CONFIG = {
    "cleanup.policy": "compact",
    "min.cleanable.dirty.ratio": "0.1",
    "segment.bytes": str(64 * 2**20),
    "segment.ms": str(3600 * 1000),
    "delete.retention.ms": str(7 * 24 * 3600 * 1000),  # a local store may be this old and still learn of deletions
}


class KafkaChangelog:
    """Changelogs named `<role>.<stage>.<topic>.changelog`, partition by partition beside their source."""

    def __init__(self, prefix: str, producer: EventProducer, bootstrap: str, settings: Settings) -> None:
        self._prefix = prefix
        self._producer = producer
        self._bootstrap = bootstrap
        self._settings = settings

    def _topic(self, source_topic: str) -> str:
        return f"{self._prefix}.{source_topic}.changelog"

    async def create(self, source_topic: str, partitions: int) -> None:
        """Create the changelog of a source topic; one that is there is left as it is."""
        config = CHANGELOG_CONFIG
        await ensure_topic(self._settings, self._bootstrap, self._topic(source_topic), partitions, config)

    async def append(self, source: TopicPartition, changes: Changes) -> int:
        return await self._producer.append_raw(self._topic(source.topic), source.partition, changes) + 1

    async def bounds(self, source: TopicPartition) -> tuple[int, int]:
        return await log_bounds(self._settings, self._bootstrap, self._beside(source))

    async def read(self, source: TopicPartition, start: int, end: int) -> AsyncIterator[Changes]:
        async for records in read_offsets(self._settings, self._bootstrap, self._beside(source), start, end):
            yield [(record.key, record.value) for record in records if record.key is not None]

    def _beside(self, source: TopicPartition) -> TopicPartition:
        return TopicPartition(self._topic(source.topic), source.partition)
