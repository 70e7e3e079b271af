"""Consumer lag of each partition, in records and in seconds, whether its group runs or not, and sizes on a broker.

aiokafka has no request for the sizes of logs on the brokers' disks:
https://kafka.apache.org/protocol.html#The_Messages_DescribeLogDirs has the layout of this version, which every broker
since 1.0 knows.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Any, Self

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.client import AIOKafkaClient
from aiokafka.coordinator.protocol import ConsumerProtocol
from aiokafka.errors import GroupCoordinatorNotAvailableError
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import Array, Boolean, Int16, Int32, Int64, Schema, String

from streams.engine.batch import TopicPartition
from streams.kafka.cluster import Cluster
from streams.kafka.group_members import GroupNow, describe_group
from streams.kafka.log_reader import LogReader
from streams.kafka.topic_ids import TopicNow
from streams.kafka.topics import administering
from streams.transport.assignment_logs import Commit, LogNow, commit_of, start_of


class _LogDirsResponse(Response):
    API_KEY = 35
    API_VERSION = 1
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        (
            "results",
            Array(
                ("error_code", Int16),
                ("log_dir", String("utf-8")),
                (
                    "topics",
                    Array(
                        ("name", String("utf-8")),
                        (
                            "partitions",
                            Array(
                                ("partition", Int32),
                                ("size_bytes", Int64),
                                ("offset_lag", Int64),
                                ("is_future", Boolean),
                            ),
                        ),
                    ),
                ),
            ),
        ),
    )


class _LogDirsRequestStruct(RequestStruct):
    API_KEY = 35
    API_VERSION = 1
    RESPONSE_TYPE = _LogDirsResponse
    SCHEMA = Schema(("topics", Array(("name", String("utf-8")), ("partitions", Array(Int32)))))


class _LogDirsRequest(Request[_LogDirsRequestStruct]):
    API_KEY = 35

    def build(self, request_struct_class: Any) -> Any:
        return request_struct_class(None)  # of all topics


async def log_sizes(client: AIOKafkaClient) -> dict[int, dict[str, int]]:
    """Return the bytes of each topic's logs by broker; replicas count on each broker that has one.

    Raises:
        KafkaError: a broker does not answer; the client bounds the wait.
    """
    brokers = sorted(broker.nodeId for broker in client.cluster.brokers())
    answers = await asyncio.gather(*(client.send(broker, _LogDirsRequest()) for broker in brokers))
    return {broker: _by_topic(answer) for broker, answer in zip(brokers, answers, strict=True)}


def _by_topic(answer: Any) -> dict[str, int]:
    sizes: Counter[str] = Counter()
    for _, _, topics in answer.results:
        for name, partitions in topics:
            sizes[name] += sum(size for _, size, _, _ in partitions)
    return dict(sizes)


FETCH_BYTES = 64 * 2**10  # of a partition: one record is looked at

Commits = Mapping[TopicPartition, Commit]


@dataclass(frozen=True, slots=True)
class Lag:
    """How far a group is behind in a partition.

    `position` is where it goes on, which is its commit unless the log is another one now, and where a worker would
    begin if there is none; `records` are the offsets from there to `end`. `seconds` is the age of the first record
    there; 0 at the end, None where it did not come.
    """

    group: str
    source: TopicPartition
    position: int
    end: int
    seconds: float | None
    has_committed: bool

    @property
    def committed(self) -> int | None:
        """Return where it goes on, None where it has committed nothing."""
        return self.position if self.has_committed else None

    @property
    def records(self) -> int:
        """Return the offsets that are not done; holes of the log count."""
        return self.end - self.position


class LagReader:
    """Looks at groups again and again over the same connections; used as an async context.

    Every call raises Unavailable when the broker is away.
    """

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._log = LogReader(cluster, partition_fetch_bytes=FETCH_BYTES)
        self._admin: AIOKafkaAdminClient
        self._connected = AsyncExitStack()
        self._wanted: dict[str, frozenset[str]] = {}  # by the members of each group

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as connecting:
            await connecting.enter_async_context(self._log)
            self._admin = await connecting.enter_async_context(administering(self._cluster))
            self._connected = connecting.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._connected.aclose()

    async def lags(self, groups: Iterable[str]) -> list[Lag]:
        """Return the lag of groups in all partitions of the topics that their members read or in which they committed.

        So a group that takes in records and never commits, since it hangs or waits, is behind by all of them.
        """
        names = sorted(set(groups))
        commits = dict(zip(names, await asyncio.gather(*map(self.commits, names)), strict=True))
        await asyncio.gather(*map(self._look_at_members, names))
        topics = {name: self._wanted[name] | {source.topic for source in commits[name]} for name in names}
        logs = await self._logs(await self._log.topics_now(set[str]().union(*topics.values())))
        lags = [lag for group in names for lag in _lags(group, topics[group], commits[group], logs)]
        return await self._with_ages(lags)

    async def lags_from(self, group: str, positions: Mapping[TopicPartition, int | None]) -> list[Lag]:
        """Return the lag of a group in the partitions of `positions`, counted from there instead of from its commits.

        A worker knows further positions than it has committed; None stands for that of the commit.
        """
        found = {lag.source: lag for lag in await self.lags([group])}
        lags = [
            replace(found[source], position=min(max(position or 0, found[source].position), found[source].end))
            for source, position in sorted(positions.items())
            if source in found
        ]
        return await self._with_ages(lags)

    async def names(self) -> list[str]:
        """Return the names of all groups of consumers that the brokers know, sorted."""
        async with self._cluster.exchange("asking brokers for their groups"):
            found = await self._admin.list_consumer_groups()
        return sorted(name for name, protocol, *_ in found if protocol in ("", ConsumerProtocol.PROTOCOL_TYPE))

    async def described(self, group: str) -> GroupNow:
        """Return a group's state and members; one without members where there is no such group."""
        async with self._cluster.exchange(f"looking up who is in {group}"):
            return await describe_group(self._admin, group)

    async def log_sizes(self) -> dict[int, dict[str, int]]:
        """Return the bytes of each topic's logs by broker."""
        async with self._cluster.exchange("asking brokers for the sizes of their logs"):
            return await log_sizes(self._admin._client)  # noqa: SLF001 - it has no request for them

    async def commits(self, group: str) -> Commits:
        """Return what a group has committed, by partition."""
        async with self._cluster.exchange(f"looking up what {group} has committed"):
            try:
                found = await self._admin.list_consumer_group_offsets(group)
            except GroupCoordinatorNotAvailableError:  # no group came yet: there is no topic of offsets
                return {}
        return {
            TopicPartition(*each): commit_of(at.offset, at.metadata) for each, at in found.items() if at.offset >= 0
        }

    async def _look_at_members(self, group: str) -> None:
        """Note what the members of a group read; while it shares that out anew, it is what it was."""
        found = await self.described(group)
        if found.is_settled or group not in self._wanted:
            self._wanted[group] = found.topics

    async def _logs(self, topics: Mapping[str, TopicNow]) -> dict[TopicPartition, LogNow]:
        sources = [TopicPartition(name, number) for name, now in topics.items() for number in range(now.partitions)]
        bounds = await self._log.whole(sources) if sources else {}
        return {source: LogNow(topics[source.topic].topic_id, *found) for source, found in bounds.items()}

    async def _with_ages(self, lags: list[Lag]) -> list[Lag]:
        positions = {(lag.source, lag.position) for lag in lags if lag.records}
        times = await self._log.times_at(positions)
        now_ms = time.time() * 1000
        return [replace(lag, seconds=_age_s(lag, times.get((lag.source, lag.position)), now_ms)) for lag in lags]


def _lags(
    group: str, topics: Collection[str], commits: Commits, logs: Mapping[TopicPartition, LogNow]
) -> Iterable[Lag]:
    for source, log in sorted(logs.items()):
        if source.topic in topics:
            position = min(start_of(commits.get(source), log).offset, log.end)
            yield Lag(group, source, position, log.end, 0.0, source in commits)


def _age_s(lag: Lag, time_ms: int | None, now_ms: float) -> float | None:
    if not lag.records:
        return 0.0
    return None if time_ms is None else max(now_ms - time_ms, 0.0) / 1000
