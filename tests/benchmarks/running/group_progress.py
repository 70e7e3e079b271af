"""How far a consumer group is: the offsets it has committed, against the ends of its topics."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Self

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import GroupCoordinatorNotAvailableError

from streams.engine.batch import TopicPartition
from streams.errors import ThreadsError
from streams.kafka.cluster import Cluster
from streams.kafka.log_reader import LogReader

POLL_S = 0.05
STABLE = "Stable"


class GroupProgress:
    """Watch a group over connections that stay open; used as an async context."""

    def __init__(self, cluster: Cluster, group: str) -> None:
        self._group = group
        self._admin = AIOKafkaAdminClient(**cluster.client_options())
        self._log = LogReader(cluster)

    async def __aenter__(self) -> Self:
        await self._admin.start()
        await self._log.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._log.__aexit__(kind, error, trace)
        await self._admin.close()

    async def committed(self) -> dict[TopicPartition, int]:
        """Return the committed offset of each partition that has one."""
        try:
            found = await self._admin.list_consumer_group_offsets(self._group)
        except GroupCoordinatorNotAvailableError:  # the broker makes its offsets topic when the first group comes
            return {}
        return {TopicPartition(*source): meta.offset for source, meta in found.items()}

    async def members(self) -> int:
        """Return how many members share the partitions, 0 while they are being shared out."""
        try:
            (answer,) = await self._admin.describe_consumer_groups([self._group])
        except GroupCoordinatorNotAvailableError:
            return 0
        (group,) = answer.groups
        _, _, state, _, _, members = group[:6]
        return len(members) if state == STABLE else 0

    async def is_done(self, sources: Sequence[TopicPartition]) -> bool:
        """Tell whether everything there is in partitions is committed; ends are looked up after the commits."""
        committed = await self.committed()
        bounds = await self._log.whole(sources)
        return all(committed.get(source, 0) >= end for source, (_, end) in bounds.items())

    async def until_done(self, sources: Sequence[TopicPartition], timeout_s: float, check: Callable[[], None]) -> None:
        """Wait until everything is committed, calling `check` in between, which raises where it can't come true."""
        deadline = time.monotonic() + timeout_s
        while not await self.is_done(sources):
            check()
            if time.monotonic() > deadline:
                lag = await self._lag(sources)
                raise ThreadsError(f"{self._group} was expected to commit all within {timeout_s:.0f} s; left: {lag}")
            await asyncio.sleep(POLL_S)

    async def until_members(self, count: int, timeout_s: float, check: Callable[[], None]) -> None:
        """Wait until the group has settled with a number of members."""
        deadline = time.monotonic() + timeout_s
        while (found := await self.members()) != count:
            check()
            if time.monotonic() > deadline:
                raise ThreadsError(f"{self._group} was expected to have {count} members, it has {found}")
            await asyncio.sleep(POLL_S)

    async def _lag(self, sources: Sequence[TopicPartition]) -> str:
        committed = await self.committed()
        bounds = await self._log.whole(sources)
        left = {source: end - committed.get(source, 0) for source, (_, end) in bounds.items()}
        return ", ".join(f"{count} of {source.topic}/{source.partition}" for source, count in left.items() if count > 0)
