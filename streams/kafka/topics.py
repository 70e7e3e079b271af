"""Topics on the broker: create those of the catalogue, tell how the others differ, and make internal ones."""

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
    NoError,
    TopicAlreadyExistsError,
    UnknownTopicOrPartitionError,
    for_code,
)

from schemas.catalogue import CATALOGUE, topic_named
from streams.errors import Unavailable
from streams.kafka.connection import client_options
from streams.kafka.faults import translating
from streams.kafka.topic_plan import TopicShape, drift, durability, wanted_shape
from streams.settings import Settings

LEADER_POLL_S = 0.05


@dataclass(frozen=True, slots=True)
class TopicChange:
    """What happened to a topic of the catalogue, or how it is: `drift` has a line for each difference."""

    name: str
    state: Literal["created", "as wanted", "drifted", "missing"]
    partitions: int
    drift: tuple[str, ...] = ()


async def create_topics(settings: Settings, bootstrap: str, names: Iterable[str] | None = None) -> list[TopicChange]:
    """Create the topics of the catalogue (or those named) that are missing; those there are left as they are.

    Raises:
        KeyError: a name is not in the catalogue.
        Unavailable: the broker is away or refuses.
    """
    before = await describe_drift(settings, bootstrap, names)
    missing = {each.name: wanted_shape(topic_named(each.name), settings) for each in before if each.state == "missing"}
    if missing:
        async with _admin(settings, bootstrap) as admin:
            await _create(admin, settings, bootstrap, missing)
    return [TopicChange(each.name, "created", each.partitions) if each.name in missing else each for each in before]


async def describe_drift(settings: Settings, bootstrap: str, names: Iterable[str] | None = None) -> list[TopicChange]:
    """Compare the topics of the catalogue (or those named) with the broker's; raises as `create_topics` does."""
    topics = list(CATALOGUE) if names is None else [topic_named(name) for name in names]
    wanted = {topic.name: wanted_shape(topic, settings) for topic in topics}
    async with _admin(settings, bootstrap) as admin:
        found = await _shapes(admin, settings, bootstrap, wanted)
    return [_compared(name, shape, found.get(name)) for name, shape in wanted.items()]


async def ensure_topic(
    settings: Settings, bootstrap: str, name: str, partitions: int, config: Mapping[str, str]
) -> None:
    """Create an internal topic (a changelog); one that is there is left as it is.

    Raises:
        Unavailable: the broker is away or refuses, or the topic has another number of partitions.
    """
    async with _admin(settings, bootstrap) as admin:
        shape = TopicShape(partitions, {**config, **durability(settings)})
        await _create(admin, settings, bootstrap, {name: shape})
    found = (await partition_counts(settings, bootstrap, [name]))[name]
    if found != partitions:
        raise Unavailable(
            f"topic {name} has {found} partitions, expected {partitions}, as many as the topic it belongs to; "
            "delete it while no worker runs (its state is rebuilt from the topics), or undo the change"
        )


async def ensure_partitions(settings: Settings, bootstrap: str, name: str, partitions: int) -> int:
    """Give a topic that has fewer partitions so many; return how many it has, 0 where there is no such topic.

    Raises:
        Unavailable: the broker is away or refuses.
    """
    async with _admin(settings, bootstrap) as admin:
        there = (await _partition_counts(admin, settings, bootstrap, [name])).get(name, 0)
        if not 0 < there < partitions:
            return there
        with translating(f"giving {name} {partitions} partitions", bootstrap), suppress(InvalidPartitionsError):
            async with asyncio.timeout(settings.io_timeout_s):  # InvalidPartitionsError: another worker was quicker
                await admin.create_partitions({name: NewPartitions(partitions)})
                while (await _partition_counts(admin, settings, bootstrap, [name])).get(name, 0) < partitions:  # noqa: ASYNC110
                    await asyncio.sleep(LEADER_POLL_S)  # the broker has no call that waits for leaders
    return partitions


async def partition_counts(settings: Settings, bootstrap: str, names: Iterable[str]) -> dict[str, int]:
    """Return the number of partitions of topics.

    Raises:
        Unavailable: the broker is away, or a topic is not there.
    """
    wanted = list(names)
    async with _admin(settings, bootstrap) as admin:
        counts = await _partition_counts(admin, settings, bootstrap, wanted)
    missing = [name for name in wanted if name not in counts]
    if missing:
        raise Unavailable(f"Kafka at {bootstrap} has no topic {', '.join(missing)}; run `threads-agent topics create`")
    return counts


def _compared(name: str, wanted: TopicShape, found: TopicShape | None) -> TopicChange:
    if found is None:
        return TopicChange(name, "missing", wanted.partitions)
    lines = drift(wanted, found)
    return TopicChange(name, "drifted" if lines else "as wanted", found.partitions, lines)


@asynccontextmanager
async def _admin(settings: Settings, bootstrap: str) -> AsyncIterator[AIOKafkaAdminClient]:
    admin = AIOKafkaAdminClient(**client_options(settings, bootstrap))
    try:
        with translating("connecting to administer topics", bootstrap):
            async with asyncio.timeout(settings.io_timeout_s):
                await admin.start()
        yield admin
    finally:
        await admin.close()


async def _create(
    admin: AIOKafkaAdminClient, settings: Settings, bootstrap: str, shapes: Mapping[str, TopicShape]
) -> None:
    """Create topics and wait until their partitions have leaders; one that another made meanwhile is fine."""
    fresh = [
        NewTopic(name, shape.partitions, settings.replication_factor, topic_configs=dict(shape.config))
        for name, shape in shapes.items()
    ]
    with translating("creating topics", bootstrap):
        async with asyncio.timeout(settings.io_timeout_s):
            response = await admin.create_topics(fresh)
            for name, code, *rest in response.topic_errors:
                if for_code(code) not in (NoError, TopicAlreadyExistsError):
                    reason = next((text for text in rest if text), for_code(code).__name__)
                    raise Unavailable(f"Kafka at {bootstrap} does not create topic {name}: {reason}")
            while len(await _partition_counts(admin, settings, bootstrap, list(shapes))) < len(shapes):  # noqa: ASYNC110
                await asyncio.sleep(LEADER_POLL_S)  # the broker has no call that waits for leaders


async def _partition_counts(
    admin: AIOKafkaAdminClient, settings: Settings, bootstrap: str, names: list[str]
) -> dict[str, int]:
    with translating("describing topics", bootstrap):
        async with asyncio.timeout(settings.io_timeout_s):
            described = await admin.describe_topics(names)
    counts = {}
    for topic in described:
        error = for_code(topic["error_code"])
        if error is NoError and all(each["leader"] >= 0 for each in topic["partitions"]):
            counts[str(topic["topic"])] = len(topic["partitions"])
        elif error not in (NoError, UnknownTopicOrPartitionError) and not error.retriable:
            raise Unavailable(f"Kafka at {bootstrap} does not describe topic {topic['topic']}: {error.__name__}")
    return counts


async def _shapes(
    admin: AIOKafkaAdminClient, settings: Settings, bootstrap: str, wanted: Mapping[str, TopicShape]
) -> dict[str, TopicShape]:
    counts = await _partition_counts(admin, settings, bootstrap, list(wanted))
    resources = [
        ConfigResource(ConfigResourceType.TOPIC, name, configs=dict.fromkeys(wanted[name].config)) for name in counts
    ]
    if not resources:
        return {}
    with translating("describing the configuration of topics", bootstrap):
        async with asyncio.timeout(settings.io_timeout_s):
            responses = await admin.describe_configs(resources)
    shapes = {}
    for response in responses:
        for _, _, _, name, entries in response.resources:
            shapes[name] = TopicShape(counts[name], {entry[0]: entry[1] for entry in entries})
    return shapes
