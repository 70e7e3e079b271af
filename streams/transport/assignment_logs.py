"""The logs behind an assignment: which they are, where reading begins, what is committed of them, who reads them.

Everything here runs on the event loop of the client. aiokafka has no public way to most of it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from aiokafka import AIOKafkaConsumer
from aiokafka.coordinator.protocol import ConsumerProtocol
from aiokafka.errors import (
    IllegalGenerationError,
    KafkaError,
    RebalanceInProgressError,
    UnknownMemberIdError,
    UnknownTopicOrPartitionError,
)
from aiokafka.protocol.admin import DescribeGroupsRequest
from aiokafka.protocol.group import LeaveGroupRequest
from aiokafka.structs import OffsetAndMetadata
from aiokafka.structs import TopicPartition as KafkaPartition

from streams.engine.batch import TopicPartition
from streams.kafka.topic_ids import TopicNow, topics_now

_PREFIX = "log="
_CUT = "+"
logger = logging.getLogger(__name__)
COMMIT_BACKOFF_S = 0.1
_LOST = (UnknownMemberIdError, IllegalGenerationError, RebalanceInProgressError)  # others have the partitions by now
STABLE = "Stable"


@dataclass(frozen=True, slots=True)
class Commit:
    """A committed offset and the log that it counts in; None where an earlier version committed."""

    offset: int
    log_id: str | None


@dataclass(frozen=True, slots=True)
class LogNow:
    """A partition's log at the moment: its topic's id (None: the broker does not tell), first offset and end."""

    topic_id: str | None
    first: int
    end: int


@dataclass(frozen=True, slots=True)
class Start:
    """The offset to begin at, the log that offsets count in from there on, and what an operator has to know."""

    offset: int
    log_id: str | None
    told: str | None = None


def as_metadata(log_id: str | None) -> str:
    """Return the text that stands beside a committed offset; Kafka keeps it and gives it back."""
    return "" if log_id is None else _PREFIX + log_id


def commit_of(offset: int, metadata: str | None) -> Commit:
    """Read a commit with the text beside it."""
    text = metadata or ""
    return Commit(offset, text.removeprefix(_PREFIX) if text.startswith(_PREFIX) else None)


def topic_id_of(log_id: str) -> str:
    """Return the id of the topic that a log is of; a log that lost its end counts as another one from there on."""
    return log_id.partition(_CUT)[0]


def start_of(commit: Commit | None, log: LogNow) -> Start:
    """Return where to begin.

    A topic that was made again is read from its beginning, and a log that lost its end (an unclean election, a restored
    disk) from the end that it has now: what follows stands at offsets that were read once before, so it is another log.
    """
    if commit is None:
        return Start(log.first, log.topic_id)
    if log.topic_id and commit.log_id and topic_id_of(commit.log_id) != log.topic_id:
        return Start(log.first, log.topic_id, _made_again(commit))
    if commit.offset > log.end:
        return _beyond_end(commit, log)
    log_id = commit.log_id or log.topic_id
    if commit.offset < log.first:
        gone = log.first - commit.offset
        reason = f"{gone:,} records ({commit.offset} to {log.first - 1}) were deleted before they were read"
        return Start(log.first, log_id, f"{reason}; it is read on from {log.first}")
    return Start(commit.offset, log_id)


def _made_again(commit: Commit) -> str:
    return f"the topic was made again, so the commit at {commit.offset} says nothing; it is read from its beginning"


def _beyond_end(commit: Commit, log: LogNow) -> Start:
    if log.topic_id is None or commit.log_id is None:  # more likely made again than cut off
        return Start(log.first, log.topic_id, _made_again(commit))
    lost = f"the log ends at {log.end} and lost what was read up to {commit.offset}"
    told = f"{lost}; it is read on from {log.end}; what was written anew before that is not: see `threads-agent replay`"
    return Start(log.end, f"{log.topic_id}{_CUT}{log.end}.{commit.offset}", told)


Starts = Mapping[KafkaPartition, Start]


class AssignmentLogs:
    """The logs of what a consumer is assigned."""

    def __init__(self, consumer: AIOKafkaConsumer) -> None:
        self._consumer = consumer
        self._client = consumer._client  # noqa: SLF001
        self._group = consumer._coordinator  # noqa: SLF001
        self._log_ids: dict[TopicPartition, str] = {}
        self._topic_ids: dict[str, str] = {}
        self._leaving = False

    def log_id(self, source: TopicPartition) -> str | None:
        """Return the log that a partition of the assignment is, None where the broker does not tell; any thread may."""
        return self._log_ids.get(source)

    def topic_ids(self) -> dict[str, str]:
        """Return the ids of the assignment's topics; what is read is of them, whatever has their names meanwhile."""
        return self._topic_ids

    async def topics_now(self, names: Iterable[str]) -> Mapping[str, TopicNow]:
        """Return those of the topics that are there; raises KafkaError."""
        return await topics_now(self._client, names)

    async def look_up(self) -> set[TopicPartition]:
        """Look up the logs of a new assignment; return the partitions that are another log than when they were ours."""
        assigned = self._consumer.assignment()
        now = await self.topics_now({each.topic for each in assigned})
        self._topic_ids = {name: topic.topic_id for name, topic in now.items() if topic.topic_id}
        starts = await self._starts(assigned)
        before = self._log_ids
        self._log_ids = {TopicPartition(*each): start.log_id for each, start in starts.items() if start.log_id}
        for partition, start in starts.items():
            if start.told is not None:
                logger.warning("%s/%d: %s", *partition, start.told)
        return {source for source, log_id in self._log_ids.items() if before.get(source, log_id) != log_id}

    async def rewind(self, partitions: Collection[KafkaPartition] | None = None) -> dict[KafkaPartition, int]:
        """Seek partitions of the assignment (None: all) to where they go on, and return the offsets."""
        assigned = self._consumer.assignment()
        starts = await self._starts(assigned if partitions is None else assigned & set(partitions))
        for partition, start in starts.items():
            self._consumer.seek(partition, start.offset)
        return {partition: start.offset for partition, start in starts.items()}

    async def _starts(self, partitions: Iterable[KafkaPartition]) -> Starts:
        wanted = list(partitions)
        committed = await self._group.fetch_committed_offsets(wanted)
        there = [each for each in wanted if self._has_leader(each)]  # of others nobody could tell the bounds
        first = await self._consumer.beginning_offsets(there) if there else {}
        end = await self._consumer.end_offsets(there) if there else {}
        starts = {}
        for each in wanted:
            found = committed.get(each)
            commit = None if found is None else commit_of(found.offset, found.metadata)
            at = 0 if commit is None else commit.offset
            log = LogNow(self._topic_ids.get(each.topic), first.get(each, at), end.get(each, at))
            starts[each] = start_of(commit, log)
        return starts

    def _has_leader(self, partition: KafkaPartition) -> bool:
        leader = self._client.cluster.leader_for_partition(partition)
        return leader is not None and leader >= 0

    async def commit(self, offsets: Mapping[Any, int]) -> bool:
        """Commit offsets of partitions that are there, each with the log that it counts in; False when it is too late.

        Of a topic that is gone nothing can be committed, and the client would try without end.
        """
        while wanted := self._committable(offsets):
            try:
                await self._commit(wanted)
            except _LOST:
                return False
            except KafkaError as error:
                if not error.retriable:
                    raise
                if isinstance(error, UnknownTopicOrPartitionError):
                    await self._client.force_metadata_update()
                await asyncio.sleep(COMMIT_BACKOFF_S)
            else:
                return True
        return False

    async def _commit(self, wanted: Mapping[KafkaPartition, OffsetAndMetadata]) -> None:
        """Do once what the client's own commit does until it succeeds."""
        await self._group.ensure_coordinator_known()
        assignment = self._consumer._subscription.subscription.assignment  # noqa: SLF001
        async with self._group._commit_lock:  # noqa: SLF001
            await asyncio.shield(self._group._do_commit_offsets(assignment, wanted))  # noqa: SLF001

    def _committable(self, offsets: Mapping[Any, int]) -> dict[KafkaPartition, OffsetAndMetadata]:
        there = {KafkaPartition(*each): offset for each, offset in offsets.items()}
        return {
            each: OffsetAndMetadata(offset, as_metadata(self._log_ids.get(TopicPartition(*each))))
            for each, offset in there.items()
            if each in self._consumer.assignment() and self._is_there(each)
        }

    def _is_there(self, partition: KafkaPartition) -> bool:
        return partition.partition in (self._client.cluster.partitions_for_topic(partition.topic) or ())

    def difference(self, topic: str, now: TopicNow) -> str | None:
        """Return how a topic is not the one that the assignment was made for; None where it is. Any thread may ask."""
        logs = [self.log_id(TopicPartition(*each)) for each in self._consumer.assignment() if each.topic == topic]
        if now.topic_id is None or not logs:
            return None
        if None in logs:
            return f"nobody told which log {topic} is"
        return f"{topic} was made again" if any(topic_id_of(each or "") != now.topic_id for each in logs) else None

    async def shared_out(self) -> set[TopicPartition] | None:
        """Return the partitions that some member of the group has; None while they are being shared out."""
        response = await self._group._send_req(DescribeGroupsRequest([self._group.group_id]))  # noqa: SLF001
        _, _, state, _, _, members = response.groups[0][:6]
        if state != STABLE:
            return None
        assignments = [ConsumerProtocol.ASSIGNMENT.decode(each[4]) for each in members if each[4]]
        return {TopicPartition(*each) for assignment in assignments for each in assignment.partitions()}

    async def rejoin(self) -> None:
        """Have the group share out its partitions anew; a static member that only joined would get its old ones."""
        self._leaving = True
        self._group.request_rejoin()

    async def prepare_join(self) -> None:
        """Learn what topics there are before partitions are shared out by it, and leave first where that was asked."""
        await self._client.force_metadata_update()
        if not self._leaving:
            return
        self._leaving = False
        request = LeaveGroupRequest(self._group.group_id, self._group.member_id)
        try:
            await self._group._send_req(request)  # noqa: SLF001
        except KafkaError as error:
            logger.warning("Leaving the group failed, it is tried again at the next look: %r", error)
        else:
            self._group.reset_generation()
