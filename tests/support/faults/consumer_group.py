"""What the broker knows of a consumer group: its members and the offsets they have committed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import GroupCoordinatorNotAvailableError, KafkaError

from streams.engine.batch import TopicPartition
from streams.errors import Unavailable
from streams.kafka.cluster import Cluster
from streams.kafka.log_reader import LogReader
from streams.kafka.topics import partition_counts

POLL_S = 0.2


class ConsumerGroup:
    """A group of a cluster; waiting fails with `explain()` after a deadline in seconds."""

    def __init__(self, cluster: Cluster, name: str) -> None:
        self._cluster = cluster
        self.name = name

    @asynccontextmanager
    async def _admin(self) -> AsyncIterator[AIOKafkaAdminClient]:
        client = AIOKafkaAdminClient(bootstrap_servers=self._cluster.bootstrap)
        await client.start()
        try:
            yield client
        finally:
            await client.close()

    async def members(self) -> int:
        """Return how many members share the group's partitions, 0 while they are being shared out."""
        try:
            async with self._admin() as client:
                (answer,) = await client.describe_consumer_groups([self.name])
        except GroupCoordinatorNotAvailableError:  # the broker makes its offsets topic when the first group comes
            return 0
        (group,) = answer.groups
        _, _, state, _, _, members = group[:6]
        return len(members) if state == "Stable" else 0

    async def until_members(self, count: int, explain: Callable[[], str], deadline_s: float = 40.0) -> None:
        """Wait until the group has settled with a number of members."""

        async def check() -> bool:
            return await self.members() == count

        await _until(check, f"{count} members of {self.name}", explain, deadline_s)

    async def committed(self) -> dict[TopicPartition, int]:
        """Return the committed offset of each partition that has one."""
        try:
            async with self._admin() as client:
                offsets = await client.list_consumer_group_offsets(self.name)
        except GroupCoordinatorNotAvailableError:
            return {}
        return {TopicPartition(*source): found.offset for source, found in offsets.items()}

    async def ends(self, *topics: str) -> dict[TopicPartition, int]:
        """Return the end of each partition of topics that has records."""
        counts = await partition_counts(self._cluster, topics)
        sources = [TopicPartition(topic, number) for topic in topics for number in range(counts[topic])]
        async with LogReader(self._cluster) as reader:
            bounds = await reader.whole(sources)
        return {source: end for source, (_, end) in bounds.items() if end}

    async def until_done(self, topics: tuple[str, ...], explain: Callable[[], str], deadline_s: float = 60.0) -> None:
        """Wait until everything there is in topics is committed."""

        async def check() -> bool:
            committed = await self.committed()
            return all(committed.get(source, 0) >= end for source, end in (await self.ends(*topics)).items())

        await _until(check, f"{self.name} without lag", explain, deadline_s)


async def _until(
    check: Callable[[], Awaitable[bool]], wanted: str, explain: Callable[[], str], deadline_s: float
) -> None:
    deadline = time.monotonic() + deadline_s
    while True:
        error = None
        try:
            if await check():
                return
        except (KafkaError, Unavailable) as raised:  # the broker is away, or is just coming back
            error = raised
        assert time.monotonic() < deadline, f"expected {wanted} within {deadline_s:g} s, {error=}\n{explain()}"
        await asyncio.sleep(POLL_S)
