"""The changelog on Kafka: a compacted topic for each input topic of a stateful stage."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator

from streams.engine.batch import TopicPartition
from streams.errors import Unavailable
from streams.kafka.cluster import Cluster
from streams.kafka.log_reader import LogReader, read_offsets
from streams.kafka.producer import EventProducer
from streams.kafka.topic_ids import TopicNow
from streams.kafka.topics import ensure_partitions, ensure_topic, partition_counts
from streams.state.changelogged import Changes
from streams.state.versions import FIRST, LiveVersions

CHANGELOG_CONFIG = {
    "cleanup.policy": "compact",
    "min.cleanable.dirty.ratio": "0.1",
    "segment.bytes": str(64 * 2**20),
    "segment.ms": str(3600 * 1000),
    "delete.retention.ms": str(7 * 24 * 3600 * 1000),  # a local store may be this old and still learn of deletions
}


CHANGELOG_END = ".changelog"
_VERSION = re.compile(r"\.v(\d+)$")


def changelog_name(role: str, stage: str, source_topic: str, version: int = FIRST) -> str:
    """Return the name of the changelog that a version of a stage's state has for one of its topics."""
    of_version = "" if version == FIRST else f".v{version}"
    return f"{role}.{stage}.{source_topic}{of_version}{CHANGELOG_END}"


def version_in(name: str) -> int:
    """Return the version that the name of a changelog tells."""
    match = _VERSION.search(name.removesuffix(CHANGELOG_END))
    return int(match[1]) if match else FIRST


class KafkaChangelog:
    """Changelogs of one version of a stage's state, partition by partition beside their source.

    `versions` knows which version is live; None where no other is to come.
    """

    def __init__(
        self, role: str, stage: str, producer: EventProducer, cluster: Cluster, versions: LiveVersions | None = None
    ) -> None:
        self._role = role
        self._stage = stage
        self._producer = producer
        self._cluster = cluster
        self._versions = versions
        self.version = FIRST if versions is None else versions.of_state(role, stage)
        self._partitions: dict[str, int] = {}
        self._shapes: dict[str, TopicNow] = {}
        self._making = asyncio.Lock()

    def _topic(self, source_topic: str) -> str:
        return changelog_name(self._role, self._stage, source_topic, self.version)

    async def _make(self, source_topic: str, least: int) -> None:
        """Create the changelog of a source topic, or give it the partitions that its source has got since."""
        name = self._topic(source_topic)
        there = await ensure_partitions(self._cluster, name, least)
        if there == 0:
            counts = await partition_counts(self._cluster, [source_topic])
            there = max(counts[source_topic], least)
            await ensure_topic(self._cluster, name, there, CHANGELOG_CONFIG)
        self._partitions[source_topic] = there

    async def append(self, source: TopicPartition, changes: Changes) -> int:
        return await self._producer.append_raw(self._topic(source.topic), source.partition, changes) + 1

    async def bounds(self, source: TopicPartition) -> tuple[int, int]:
        await self._check_is_live()
        async with self._making:
            if source.partition >= self._partitions.get(source.topic, 0):
                await self._make(source.topic, source.partition + 1)
        beside = self._beside(source)
        async with LogReader(self._cluster) as reader:
            self._shapes |= await reader.topics_now([beside.topic])
            return (await reader.whole([beside]))[beside]

    def identity(self, source: TopicPartition) -> str | None:
        shape = self._shapes.get(self._topic(source.topic))
        return None if shape is None else shape.topic_id

    async def read(self, source: TopicPartition, start: int, end: int) -> AsyncIterator[Changes]:
        async for records in read_offsets(self._cluster, self._beside(source), start, end):
            yield [(record.key, record.value) for record in records if record.key is not None]

    async def _check_is_live(self) -> None:
        """Let no partition be taken over with a version that was replaced: who has it now writes to another."""
        if self._versions is None:
            return
        await self._versions.refresh()
        live = self._versions.of_state(self._role, self._stage)
        if live != self.version:
            raise Unavailable(
                f"version {self.version} of the state of {self._role}/{self._stage} was replaced by version {live}; "
                "this worker begins anew with it"
            )

    def _beside(self, source: TopicPartition) -> TopicPartition:
        return TopicPartition(self._topic(source.topic), source.partition)
