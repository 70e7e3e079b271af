"""What a consumer group is at the moment: its state, its members, what they read and which partitions they have."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.coordinator.protocol import ConsumerProtocol
from aiokafka.errors import GroupCoordinatorNotAvailableError, for_code

from streams.engine.batch import TopicPartition

NO_GROUP = "Dead"  # as Kafka calls a group that it does not know


@dataclass(frozen=True, slots=True)
class Member:
    """A member of a group: who the client says it is, where the broker sees it, and what it has at the moment."""

    member_id: str
    client_id: str
    host: str
    topics: frozenset[str]
    partitions: tuple[TopicPartition, ...]

    def __str__(self) -> str:
        """Say who it is and what it has, for people."""
        held = ", ".join(f"{source.topic}/{source.partition}" for source in self.partitions)
        return f"{self.member_id} at {self.host} ({held or 'no partition'})"


@dataclass(frozen=True, slots=True)
class GroupNow:
    """A group as its coordinator describes it; the state is Kafka's word."""

    name: str
    state: str = NO_GROUP
    members: tuple[Member, ...] = ()

    @property
    def topics(self) -> frozenset[str]:
        """Return the topics that its members read, whether they have committed anything or not."""
        return frozenset[str]().union(*(member.topics for member in self.members))

    @property
    def is_settled(self) -> bool:
        """Return False while the group shares its partitions out anew."""
        return not self.state.endswith("Rebalance")


async def describe_group(admin: AIOKafkaAdminClient, group: str) -> GroupNow:
    """Return what a group is; one without members where there is none.

    It asks for one group at a time: of several, aiokafka 0.14 misreads the answers of present brokers.

    Raises:
        KafkaError: its coordinator does not answer, or not yet.
    """
    try:
        [answer] = await admin.describe_consumer_groups([group])
    except GroupCoordinatorNotAvailableError:  # no group came yet: there is no topic of offsets
        return GroupNow(group)
    error_code, _, state, protocol_type, _, members = answer.groups[0][:6]
    if error_code:
        raise for_code(error_code)(f"could not look at the members of {group}")
    is_of_consumers = protocol_type == ConsumerProtocol.PROTOCOL_TYPE
    return GroupNow(group, state, tuple(_members(members, is_of_consumers=is_of_consumers)))


def _members(members: list[tuple[Any, ...]], *, is_of_consumers: bool) -> Iterator[Member]:
    for member_id, client_id, host, metadata, assignment, *_ in sorted(members, key=lambda member: str(member[0])):
        wanted, held = frozenset[str](), list[TopicPartition]()
        if metadata and is_of_consumers:
            wanted = frozenset(ConsumerProtocol.METADATA.decode(metadata).subscription)
        if assignment and is_of_consumers:
            held = [TopicPartition(*each) for each in ConsumerProtocol.ASSIGNMENT.decode(assignment).partitions()]
        yield Member(str(member_id), str(client_id), str(host).removeprefix("/"), wanted, tuple(sorted(held)))
