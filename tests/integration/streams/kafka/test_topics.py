"""Topics of the catalogue on the real broker, and reading ranges of them."""

from __future__ import annotations

import time

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions

from schemas.catalogue import CATALOGUE
from schemas.registries.file_registry import FileRegistry
from streams.embedded.ports import free_port
from streams.engine.batch import TopicPartition
from streams.errors import Unavailable
from streams.kafka.cluster import Cluster
from streams.kafka.log_reader import log_bounds, read_offsets, read_range
from streams.kafka.producer import EventProducer
from streams.kafka.topics import create_topics, describe_drift, ensure_topic, partition_counts
from tests.conftest import Stack
from tests.support.range_size import range_size


async def test_creating_topics_again_changes_nothing(stack: Stack) -> None:
    changes = await create_topics(stack.cluster)
    assert [change.name for change in changes] == [topic.name for topic in CATALOGUE]
    assert {(change.state, change.drift) for change in changes} == {("as wanted", ())}


async def test_drift_of_a_topic_is_told_and_left_alone(stack: Stack) -> None:
    name = "revenue.events"
    wanted = stack.settings.model_copy(update={"partitions": 2, "max_record_bytes": 2**16})
    (change,) = await create_topics(Cluster(stack.bootstrap, wanted), [name])
    assert change.state == "drifted"
    assert change.drift == (
        "partitions: wanted 2, found 4",
        "max.message.bytes: wanted 131072, found 1114112",
    )
    assert (await describe_drift(stack.cluster, [name]))[0].state == "as wanted"


async def test_a_name_that_is_not_in_the_catalogue_is_refused(stack: Stack) -> None:
    with pytest.raises(KeyError, match=r"engagement\.event.*not in the catalogue"):
        await create_topics(stack.cluster, ["engagement.event"])


async def test_an_internal_topic_is_made_once_and_its_partitions_must_fit(stack: Stack) -> None:
    for _ in range(2):
        await ensure_topic(stack.cluster, "topics.changelog", 2, {"cleanup.policy": "compact"})
    assert await partition_counts(stack.cluster, ["topics.changelog"]) == {"topics.changelog": 2}
    admin = AIOKafkaAdminClient(bootstrap_servers=stack.bootstrap)
    await admin.start()
    await admin.create_partitions({"topics.changelog": NewPartitions(3)})
    await admin.close()
    with pytest.raises(Unavailable, match="has 3 partitions, expected 2"):
        await ensure_topic(stack.cluster, "topics.changelog", 2, {"cleanup.policy": "compact"})


async def test_a_topic_that_is_missing_is_named(stack: Stack) -> None:
    with pytest.raises(Unavailable, match=r"no topic topics\.nowhere; run `threads-agent topics create`"):
        await partition_counts(stack.cluster, ["personas", "topics.nowhere"])
    with pytest.raises(Unavailable, match=r"no topic topics\.nowhere"):
        async for _ in read_range(stack.cluster, "topics.nowhere"):
            pass


async def test_a_broker_that_is_away_is_unavailable(stack: Stack) -> None:
    nowhere = Cluster(f"127.0.0.1:{free_port()}", stack.settings)
    with pytest.raises(Unavailable, match="does not answer"):
        await create_topics(nowhere)
    with pytest.raises(Unavailable, match="does not answer"):
        await log_bounds(nowhere, TopicPartition("personas", 0))


async def test_a_range_is_read_by_offsets_and_by_time_and_ends(stack: Stack) -> None:
    cluster, topic = stack.cluster, "topics.range"
    await ensure_topic(cluster, topic, 2, {})
    producer = EventProducer(cluster, FileRegistry())
    for partition in (0, 1):
        await producer.append_raw(topic, partition, [(b"k", b"early %d" % number) for number in range(50)])
    last_ms = time.time_ns() // 1_000_000
    while (between_ms := time.time_ns() // 1_000_000) == last_ms:
        continue
    await producer.append_raw(topic, 1, [(b"k", b"late")])
    await producer.stop()

    source = TopicPartition(topic, 1)
    assert await log_bounds(cluster, source) == (0, 51)
    part = [record.offset async for block in read_offsets(cluster, source, 10, 20) for record in block]
    assert part == list(range(10, 20))
    rest = [record.offset async for block in read_offsets(cluster, source, 45, 10**9) for record in block]
    assert rest == list(range(45, 51))

    read = {0: 0, 1: 0}
    async for at, records in read_range(cluster, topic, until_ms=between_ms):
        read[at.partition] += len(records)
    assert read == {0: 50, 1: 50}
    late = [record.value async for _, block in read_range(cluster, topic, since_ms=between_ms) for record in block]
    assert late == [b"late"]
    assert await range_size(cluster, topic) == 101
    assert await range_size(cluster, topic, since_ms=between_ms) == 1
    only = [at.partition async for at, _ in read_range(cluster, topic, partitions=[0])]
    assert set(only) == {0}
