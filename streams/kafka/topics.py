"""Topics on the broker: what they should look like, create those of the catalogue, tell how the others differ."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Literal

from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import (
    InvalidPartitionsError,
    NodeNotReadyError,
    NoError,
    TopicAlreadyExistsError,
    UnknownTopicOrPartitionError,
    for_code,
)

from schemas.catalogue import CATALOGUE, FOREVER, Topic, topic_named
from streams.errors import Unavailable
from streams.kafka.cluster import Cluster
from streams.kafka.record_size import batch_limit
from streams.kafka.retention import retention_of
from streams.settings import Settings

LEADER_POLL_S = 0.05


@dataclass(frozen=True, slots=True)
class TopicShape:
    """Partitions and configuration of a topic, wanted or found; configuration values are text as Kafka gives them."""

    partitions: int
    config: Mapping[str, str]


def wanted_shape(topic: Topic, settings: Settings) -> TopicShape:
    """Return the shape that the catalogue and the settings give a topic."""
    retention_ms = retention_of(topic, settings)
    config = {
        "cleanup.policy": _cleanup(topic),
        "retention.ms": str(retention_ms),
        "max.message.bytes": str(batch_limit(topic.name, settings)),
        **durability(settings),
    }
    if retention_ms != FOREVER:  # by the broker's clock: one of a producer that is behind would delete at once
        config["message.timestamp.type"] = "LogAppendTime"
    return TopicShape(topic.partitions or settings.partitions, config)


def _cleanup(topic: Topic) -> str:
    if not topic.compacted:
        return "delete"
    return "compact" if topic.retention_ms == FOREVER else "compact,delete"


def durability(settings: Settings) -> dict[str, str]:
    """Return the configuration that says how many replicas must have a record; every topic of ours has it."""
    least = settings.min_insync_replicas
    return {} if least is None else {"min.insync.replicas": str(least)}


def drift(wanted: TopicShape, found: TopicShape) -> tuple[str, ...]:
    """Return one line for each difference, naming what is wanted and what is there; empty when there is none."""
    lines = []
    if wanted.partitions != found.partitions:
        lines.append(f"partitions: wanted {wanted.partitions}, found {found.partitions}")
    for name, value in wanted.config.items():
        if found.config.get(name) != value:
            lines.append(f"{name}: wanted {value}, found {found.config.get(name, 'nothing')}")
    return tuple(lines)


@dataclass(frozen=True, slots=True)
class TopicChange:
    """What happened to a topic of the catalogue, or how it is: `drift` has a line for each difference."""

    name: str
    state: Literal["created", "as wanted", "drifted", "missing"]
    partitions: int
    drift: tuple[str, ...] = ()


async def create_topics(cluster: Cluster, names: Iterable[str] | None = None) -> list[TopicChange]:
    """Create the topics of the catalogue (or those named) that are missing; those there are left as they are.

    Raises:
        KeyError: a name is not in the catalogue.
        Unavailable: the broker is away or refuses.
    """
    before = await describe_drift(cluster, names)
    missing = {
        each.name: wanted_shape(topic_named(each.name), cluster.settings) for each in before if each.state == "missing"
    }
    if missing:
        async with administering(cluster) as admin:
            await _create(admin, cluster, missing)
    return [TopicChange(each.name, "created", each.partitions) if each.name in missing else each for each in before]


async def describe_drift(cluster: Cluster, names: Iterable[str] | None = None) -> list[TopicChange]:
    """Compare the topics of the catalogue (or those named) with the broker's; raises as `create_topics` does."""
    topics = list(CATALOGUE) if names is None else [topic_named(name) for name in names]
    wanted = {topic.name: wanted_shape(topic, cluster.settings) for topic in topics}
    async with administering(cluster) as admin:
        found = await _shapes(admin, cluster, wanted)
    return [_compared(name, shape, found.get(name)) for name, shape in wanted.items()]


async def ensure_topic(cluster: Cluster, name: str, partitions: int, config: Mapping[str, str]) -> None:
    """Create an internal topic (a changelog); one that is there is left as it is.

    Raises:
        Unavailable: the broker is away or refuses, or the topic has another number of partitions.
    """
    async with administering(cluster) as admin:
        shape = TopicShape(partitions, {**config, **durability(cluster.settings)})
        await _create(admin, cluster, {name: shape})
    found = (await partition_counts(cluster, [name]))[name]
    if found != partitions:
        raise Unavailable(
            f"topic {name} has {found} partitions, expected {partitions}, as many as the topic it belongs to; "
            "delete it while no worker runs (its state is rebuilt from the topics), or undo the change"
        )


async def ensure_partitions(cluster: Cluster, name: str, partitions: int) -> int:
    """Give a topic that has fewer partitions so many; return how many it has, 0 where there is no such topic.

    Raises:
        Unavailable: the broker is away or refuses.
    """
    async with administering(cluster) as admin:
        there = (await _partition_counts(admin, cluster, [name])).get(name, 0)
        if not 0 < there < partitions:
            return there
        async with cluster.exchange(f"giving {name} {partitions} partitions"):
            with suppress(InvalidPartitionsError):  # another worker was quicker
                await admin.create_partitions({name: NewPartitions(partitions)})
                while (await _partition_counts(admin, cluster, [name])).get(name, 0) < partitions:  # noqa: ASYNC110
                    await asyncio.sleep(LEADER_POLL_S)  # the broker has no call that waits for leaders
    return partitions


async def partition_counts(cluster: Cluster, names: Iterable[str]) -> dict[str, int]:
    """Return the number of partitions of topics.

    Raises:
        Unavailable: the broker is away, or a topic is not there.
    """
    wanted = list(names)
    counts = await those_there(cluster, wanted)
    missing = [name for name in wanted if name not in counts]
    if missing:
        raise Unavailable(
            f"Kafka at {cluster.bootstrap} has no topic {', '.join(missing)}; run `threads-agent topics create`"
        )
    return counts


async def those_there(cluster: Cluster, names: Iterable[str]) -> dict[str, int]:
    """Return the number of partitions of those of the topics that are there; raises Unavailable as the others do."""
    async with administering(cluster) as admin:
        return await _partition_counts(admin, cluster, list(names))


async def topic_names(cluster: Cluster) -> list[str]:
    """Return the names of all topics there are, sorted; raises Unavailable as the others do."""
    async with administering(cluster) as admin, cluster.exchange("asking for the names of topics"):
        return sorted(await admin.list_topics())


async def delete_topic(cluster: Cluster, name: str) -> None:
    """Delete a topic with all its records; one that is not there is fine.

    Raises:
        Unavailable: the broker is away or refuses.
    """
    async with administering(cluster) as admin, cluster.exchange(f"deleting {name}"):
        response = await admin.delete_topics([name])
    for _, code in response.topic_error_codes:
        if for_code(code) not in (NoError, UnknownTopicOrPartitionError):
            raise Unavailable(f"Kafka at {cluster.bootstrap} does not delete {name}: {for_code(code).__name__}")


def _compared(name: str, wanted: TopicShape, found: TopicShape | None) -> TopicChange:
    if found is None:
        return TopicChange(name, "missing", wanted.partitions)
    lines = drift(wanted, found)
    return TopicChange(name, "drifted" if lines else "as wanted", found.partitions, lines)


@asynccontextmanager
async def administering(cluster: Cluster) -> AsyncIterator[AIOKafkaAdminClient]:
    """Connect a client that administers topics, and close it at the end; raises Unavailable where nobody answers."""
    async with cluster.exchange("connecting to administer topics"):
        admin = await _started(cluster)
    try:
        yield admin
    finally:
        await admin.close()


async def _started(cluster: Cluster) -> AIOKafkaAdminClient:
    """Start a client that knows a broker; one that was frozen or is starting answers for a while that there is none."""
    while True:
        admin = AIOKafkaAdminClient(**cluster.client_options())
        try:
            await admin.start()
            await admin.describe_cluster()
        except NodeNotReadyError:
            await admin.close()
            await asyncio.sleep(LEADER_POLL_S)
        except BaseException:
            await admin.close()
            raise
        else:
            return admin


async def _create(admin: AIOKafkaAdminClient, cluster: Cluster, shapes: Mapping[str, TopicShape]) -> None:
    """Create topics and wait until their partitions have leaders; one that another made meanwhile is fine."""
    fresh = [
        NewTopic(name, shape.partitions, cluster.settings.replication_factor, topic_configs=dict(shape.config))
        for name, shape in shapes.items()
    ]
    async with cluster.exchange("creating topics"):
        response = await admin.create_topics(fresh)
        for name, code, *rest in response.topic_errors:
            if for_code(code) not in (NoError, TopicAlreadyExistsError):
                reason = next((text for text in rest if text), for_code(code).__name__)
                raise Unavailable(f"Kafka at {cluster.bootstrap} does not create topic {name}: {reason}")
        while len(await _partition_counts(admin, cluster, list(shapes))) < len(shapes):  # noqa: ASYNC110
            await asyncio.sleep(LEADER_POLL_S)  # the broker has no call that waits for leaders


async def _partition_counts(admin: AIOKafkaAdminClient, cluster: Cluster, names: list[str]) -> dict[str, int]:
    async with cluster.exchange("describing topics"):
        described = await admin.describe_topics(names)
    counts = {}
    for topic in described:
        error = for_code(topic["error_code"])
        if error is NoError and all(each["leader"] >= 0 for each in topic["partitions"]):
            counts[str(topic["topic"])] = len(topic["partitions"])
        elif error not in (NoError, UnknownTopicOrPartitionError) and not error.retriable:
            raise Unavailable(
                f"Kafka at {cluster.bootstrap} does not describe topic {topic['topic']}: {error.__name__}"
            )
    return counts


async def _shapes(
    admin: AIOKafkaAdminClient, cluster: Cluster, wanted: Mapping[str, TopicShape]
) -> dict[str, TopicShape]:
    counts = await _partition_counts(admin, cluster, list(wanted))
    resources = [
        ConfigResource(ConfigResourceType.TOPIC, name, configs=dict.fromkeys(wanted[name].config)) for name in counts
    ]
    if not resources:
        return {}
    async with cluster.exchange("describing the configuration of topics"):
        responses = await admin.describe_configs(resources)
    shapes = {}
    for response in responses:
        for _, _, _, name, entries in response.resources:
            shapes[name] = TopicShape(counts[name], {entry[0]: entry[1] for entry in entries})
    return shapes
