"""Setting a consumer group to other offsets: planned first, refused while it has members, committed at once."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from aiokafka import AIOKafkaConsumer
from aiokafka.errors import CommitFailedError, IllegalGenerationError, RebalanceInProgressError, UnknownMemberIdError
from aiokafka.structs import OffsetAndMetadata
from aiokafka.structs import TopicPartition as KafkaPartition

from streams.engine.batch import TopicPartition
from streams.errors import ThreadsError
from streams.kafka.cluster import Cluster
from streams.kafka.consumer_lag import Commits, LagReader
from streams.kafka.group_members import Member
from streams.kafka.log_reader import LogReader
from streams.kafka.topic_ids import TopicNow
from streams.kafka.topics import topic_names
from streams.role_names import role_names
from streams.transport.assignment_logs import LogNow, as_metadata, start_of, topic_id_of

_CAME_MEANWHILE = (CommitFailedError, UnknownMemberIdError, IllegalGenerationError, RebalanceInProgressError)


@dataclass(frozen=True, slots=True)
class Goal:
    """Where a group is to go on: an offset, the first record at or after a broker time in epoch ms, or an end."""

    kind: Literal["beginning", "end", "offset", "time"]
    value: int = 0


@dataclass(frozen=True, slots=True)
class Move:
    """A partition's change: `position` is where the group would go on without it, `to` where it goes on with it.

    `committed` is what the group has committed, None for nothing; `first` and `end` are the log's; `log_id` says which
    log the offset counts in, and stands beside the commits of this platform's workers.
    """

    source: TopicPartition
    committed: int | None
    position: int
    first: int
    end: int
    to: int
    log_id: str | None

    @property
    def again(self) -> int:
        """Return how many offsets are read again."""
        return max(self.position - self.to, 0)

    @property
    def skipped(self) -> int:
        """Return how many offsets are never read."""
        return max(self.to - self.position, 0)


@dataclass(frozen=True, slots=True)
class ResetPlan:
    """What a reset would change; `changelogs` are the topics of the state that the group keeps, if it keeps any."""

    group: str
    moves: tuple[Move, ...]
    members: tuple[Member, ...]
    changelogs: tuple[str, ...]

    def refuse_while_at_work(self) -> None:
        """Raise ThreadsError while the group has members, with who they are."""
        if self.members:
            who = "; ".join(map(str, self.members))
            raise ThreadsError(
                f"{self.group} is at work, and would commit over a reset: {who}. Stop these members, then reset; one "
                "with an instance id stays a member until its session time-out, although it was stopped"
            )


async def plan_reset(
    cluster: Cluster, group: str, goal: Goal, topic: str | None = None, partitions: Collection[int] = ()
) -> ResetPlan:
    """Return what setting a group to other offsets changes, without changing it.

    Without a topic it is all that the group has committed offsets of, without partitions all of the topic.

    Raises:
        ThreadsError: there is no such group, topic, partition or offset.
        Unavailable: the broker is away.
    """
    async with LagReader(cluster) as groups, LogReader(cluster) as log:
        now, commits = await groups.described(group), await groups.commits(group)
        if not commits and not now.members:
            await _require_known(groups, group, topic)
        names = {topic} if topic is not None else {source.topic for source in commits} | now.topics
        if not names:
            raise ThreadsError(f"{group} has committed nothing that could be set; name a topic with --topic")
        topics = await log.topics_now(names)
        sources = _sources(topics, names, partitions)
        bounds = await log.whole(sources)
        goals = await _goals(log, bounds, goal)
    moves = [
        _move(source, commits, LogNow(topics[source.topic].topic_id, *bounds[source]), goals[source])
        for source in sources
    ]
    return ResetPlan(group, tuple(moves), now.members, await _changelogs(cluster, group, topics))


async def reset(cluster: Cluster, plan: ResetPlan) -> None:
    """Commit the offsets of a plan, all or none of them.

    Raises:
        ThreadsError: the group has members, or got one meanwhile; nothing is changed.
        Unavailable: the broker is away.
    """
    async with LagReader(cluster) as groups:
        now = await groups.described(plan.group)
    ResetPlan(plan.group, plan.moves, now.members, plan.changelogs).refuse_while_at_work()
    offsets = {
        KafkaPartition(*each.source): OffsetAndMetadata(each.to, as_metadata(each.log_id)) for each in plan.moves
    }
    consumer = AIOKafkaConsumer(
        **cluster.client_options("threads-agent-reset"), group_id=plan.group, enable_auto_commit=False
    )
    try:
        async with cluster.exchange(f"setting the offsets of {plan.group}"):
            await consumer.start()
            consumer.assign(list(offsets))
            try:
                await consumer.commit(offsets)
            except _CAME_MEANWHILE as error:
                raise ThreadsError(
                    f"A member of {plan.group} came while its offsets were to be set: nothing is changed. Stop it, and "
                    "reset again"
                ) from error
    finally:
        await consumer.stop()


async def _require_known(groups: LagReader, group: str, topic: str | None) -> None:
    names = await groups.names()
    if group in names or (topic is not None and group in role_names()):
        return
    if group in role_names():
        raise ThreadsError(
            f"{group} has read nothing yet, and will begin at the beginning of its topics; to have it begin elsewhere, "
            "name each with --topic"
        )
    raise ThreadsError(f"There is no group {group!r}; there are: {', '.join(names) or 'none'}")


def _sources(
    topics: Mapping[str, TopicNow], names: Collection[str], partitions: Collection[int]
) -> list[TopicPartition]:
    if missing := sorted(set(names) - topics.keys()):
        raise ThreadsError(
            f"There is no topic {', '.join(missing)}: nothing is changed; name those there are by --topic"
        )
    there = [TopicPartition(name, number) for name in sorted(names) for number in range(topics[name].partitions)]
    if unknown := sorted(set(partitions) - {source.partition for source in there}):
        raise ThreadsError(
            f"There is no partition {', '.join(map(str, unknown))}: "
            + ", ".join(f"{name} has 0 to {topics[name].partitions - 1}" for name in sorted(names))
        )
    return [source for source in there if not partitions or source.partition in partitions]


async def _goals(
    log: LogReader, bounds: Mapping[TopicPartition, tuple[int, int]], goal: Goal
) -> dict[TopicPartition, int]:
    if goal.kind == "time":
        found = await log.at_time(list(bounds), goal.value)
        return {source: _within(found[source], *ends) for source, ends in bounds.items()}
    if goal.kind == "offset":
        if outside := [source for source, (first, end) in bounds.items() if not first <= goal.value <= end]:
            raise ThreadsError(
                f"Offset {goal.value} is not there: "
                + ", ".join(
                    f"{each.topic}/{each.partition} has {bounds[each][0]} to {bounds[each][1]}" for each in outside
                )
                + "; choose one within, or partitions that have it, with --topic and --partition"
            )
        return dict.fromkeys(bounds, goal.value)
    return {source: first if goal.kind == "beginning" else end for source, (first, end) in bounds.items()}


def _within(found: int | None, first: int, end: int) -> int:
    return end if found is None else min(max(found, first), end)


def _move(source: TopicPartition, commits: Commits, log: LogNow, to: int) -> Move:
    commit = commits.get(source)
    position = min(start_of(commit, log).offset, log.end)
    log_id = commit.log_id if commit is not None else log.topic_id
    if log_id is not None and topic_id_of(log_id) != log.topic_id:  # the topic was made again since
        log_id = log.topic_id
    return Move(source, None if commit is None else commit.offset, position, log.first, log.end, to, log_id)


async def _changelogs(cluster: Cluster, group: str, topics: Iterable[str]) -> tuple[str, ...]:
    """Return the changelogs, of any version, that stages of the group keep beside these topics."""
    beside = "|".join(map(re.escape, topics)) or "(?!)"
    of_group = re.compile(rf"{re.escape(group)}\..+\.(?:{beside})(?:\.v\d+)?\.changelog")
    return tuple(sorted(name for name in await topic_names(cluster) if of_group.fullmatch(name)))
