"""The producer on the real broker: order, acknowledgements, limits, and a broker that goes away."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from aiokafka.structs import ConsumerRecord

from schemas.catalogue import topic_named
from schemas.codec.rows import RowCodec
from schemas.records import EngagementEvent, KpiUpdate
from schemas.registries.file_registry import FileRegistry
from streams.embedded.kafka import KafkaServer, Node
from streams.embedded.ports import free_port
from streams.embedded.process import stop
from streams.embedded.server import run_server
from streams.engine.batch import TopicPartition
from streams.engine.stage import Output
from streams.errors import RecordFault, Unavailable
from streams.kafka.cluster import Cluster
from streams.kafka.log_reader import log_bounds, read_offsets
from streams.kafka.producer import MAX_BATCH_BYTES, EventProducer, Pair
from streams.kafka.topics import create_topics, ensure_topic
from streams.settings import Settings
from tests.conftest import CACHE, Stack

EVENT = EngagementEvent(
    event_id="e", occurred_at=datetime(2026, 11, 22, tzinfo=UTC), persona_id="producer-test", kind="like"
)
COMPACTED = {"cleanup.policy": "compact"}


@pytest.fixture
async def producer(stack: Stack) -> AsyncIterator[EventProducer]:
    producer = EventProducer(stack.cluster, FileRegistry())
    await producer.start()
    yield producer
    await producer.stop()


async def _all(stack: Stack, topic: str, partition: int) -> list[ConsumerRecord]:
    source = TopicPartition(topic, partition)
    start, end = await log_bounds(stack.cluster, source)
    blocks = [block async for block in read_offsets(stack.cluster, source, start, end)]
    return [record for block in blocks for record in block]


async def test_pairs_arrive_whole_and_in_order_over_many_batches(stack: Stack, producer: EventProducer) -> None:
    await ensure_topic(stack.cluster, "producer.pairs", 2, COMPACTED)
    pairs: list[Pair] = [(b"key-%d" % number, bytes(number % 700)) for number in range(3_000)]
    pairs += [(b"key-1", None), (b"large", bytes(MAX_BATCH_BYTES + 1))]
    assert sum(len(value or b"") for _, value in pairs) > 4 * MAX_BATCH_BYTES
    assert await producer.append_raw("producer.pairs", 1, pairs) == len(pairs) - 1
    records = await _all(stack, "producer.pairs", 1)
    assert [(record.key, record.value) for record in records] == pairs
    assert await log_bounds(stack.cluster, TopicPartition("producer.pairs", 0)) == (0, 0)


async def test_no_pairs_give_no_offset(producer: EventProducer) -> None:
    assert await producer.append_raw("producer.pairs", 0, []) == -1


async def test_outputs_keep_their_order_in_the_partition_of_their_key(stack: Stack, producer: EventProducer) -> None:
    outputs = [Output("engagement.events", replace(EVENT, event_id=f"{number}")) for number in range(500)]
    queued = await producer.send("engagement.events", replace(EVENT, event_id="by key"))
    (sent,) = await producer.acknowledged([queued])
    await producer.append_all(outputs)
    topic, codec = topic_named("engagement.events"), RowCodec(FileRegistry())
    records = (await _all(stack, topic.name, sent.partition))[sent.offset :]
    assert {record.key for record in records} == {b"producer-test"}
    ids = [getattr(codec.decode(topic, record.value), "event_id", None) for record in records]
    assert ids == ["by key", *(f"{number}" for number in range(500))]


async def test_an_output_goes_to_the_partition_it_names(stack: Stack, producer: EventProducer) -> None:
    before = [(await log_bounds(stack.cluster, TopicPartition("kpi.updates", p)))[1] for p in (0, 3)]
    at = EVENT.occurred_at
    update = KpiUpdate(event_id="u", occurred_at=at, persona_id="p", window="1h", window_end=at)
    await producer.append_all([Output("kpi.updates", update, partition=3)])
    after = [(await log_bounds(stack.cluster, TopicPartition("kpi.updates", p)))[1] for p in (0, 3)]
    assert after == [before[0], before[1] + 1]


async def test_garbage_goes_out_as_it_is_with_headers(stack: Stack, producer: EventProducer) -> None:
    await ensure_topic(stack.cluster, "producer.raw", 1, {})
    sent = await producer.send_raw("producer.raw", None, b"\xffgarbage", [("trace", b"1")], 0)
    (record,) = await _all(stack, "producer.raw", 0)
    assert (record.offset, record.key, record.value) == (sent.offset, None, b"\xffgarbage")
    assert list(record.headers) == [("trace", b"1")]


async def test_a_record_that_is_too_large_is_refused_and_nothing_of_its_call_is_sent(
    stack: Stack, producer: EventProducer
) -> None:
    large = replace(EVENT, source="x" * (10 * 2**20), persona_id="large")
    bounds = [await log_bounds(stack.cluster, TopicPartition("engagement.events", p)) for p in range(4)]
    with pytest.raises(
        RecordFault, match=r"at most 1,048,576 bytes for topic engagement.events, got 10,485,7\d\d bytes"
    ):
        await producer.append_all([Output("engagement.events", EVENT), Output("engagement.events", large)])
    assert bounds == [await log_bounds(stack.cluster, TopicPartition("engagement.events", p)) for p in range(4)]


async def test_a_record_that_the_broker_finds_too_large_is_a_fault_and_the_producer_goes_on(
    stack: Stack, producer: EventProducer
) -> None:
    await ensure_topic(stack.cluster, "producer.small", 1, {"max.message.bytes": "1000"})
    with pytest.raises(RecordFault, match="too large"):
        await producer.send_raw("producer.small", b"k", bytes(range(256)) * 8, (), 0)
    assert (await producer.send_raw("producer.small", b"k", b"small", (), 0)).offset == 0


async def test_a_topic_that_is_not_there_is_unavailable_and_says_how_to_make_it(stack: Stack) -> None:
    hurried = stack.settings.model_copy(update={"io_timeout_s": 1.0})
    producer = EventProducer(Cluster(stack.bootstrap, hurried), FileRegistry())
    with pytest.raises(Unavailable, match="topics create"):
        await producer.send_raw("producer.nowhere", b"k", b"v")
    await producer.stop()


async def test_a_broker_that_is_not_there_is_told_within_ten_seconds(stack: Stack) -> None:
    nowhere = Cluster(f"127.0.0.1:{free_port()}", stack.settings)
    with pytest.raises(Unavailable, match=f"Kafka at {nowhere.bootstrap} does not answer.*THREADS_KAFKA"):
        await nowhere.check()
    with pytest.raises(Unavailable, match="does not answer"):
        await EventProducer(nowhere, FileRegistry()).start()


async def test_after_a_broker_restart_the_same_producer_appends_again(tmp_path: Path) -> None:
    server = KafkaServer(tmp_path / "own broker", CACHE / "jars", Node(port=free_port(), controller_port=free_port()))
    cluster = Cluster.of(Settings(kafka=server.address, io_timeout_s=3))
    process = run_server(server, tmp_path / "logs")
    try:
        await create_topics(cluster, ["engagement.events"])
        producer = EventProducer(cluster, FileRegistry())
        await producer.append_all([Output("engagement.events", EVENT, partition=0)])
        stop(process, server.launch().stop_signal)
        with pytest.raises(Unavailable):
            await producer.append_all([Output("engagement.events", EVENT, partition=0)])
        process = run_server(server, tmp_path / "logs")
        await producer.append_all([Output("engagement.events", replace(EVENT, event_id="after"), partition=0)])
        await producer.stop()
        source = TopicPartition("engagement.events", 0)
        blocks = [block async for block in read_offsets(cluster, source, 0, 10)]
    finally:
        stop(process, server.launch().stop_signal)
    codec = RowCodec(FileRegistry())
    ids = [
        getattr(codec.decode(topic_named(source.topic), record.value), "event_id", None)
        for block in blocks
        for record in block
    ]
    assert (ids[0], ids[-1]) == ("e", "after")
    assert len(ids) in (2, 3)  # the one whose outcome was unknown may have arrived


async def test_a_task_that_waits_for_a_client_another_gave_up_goes_on_with_a_new_one(
    stack: Stack, producer: EventProducer
) -> None:
    await ensure_topic(stack.cluster, "producer.given-up", 1, COMPACTED)
    client = producer._client
    assert client is not None
    waiting = asyncio.create_task(producer.append_raw("producer.given-up", 0, [(b"key", b"value")]))
    while client.client._md_update_fut is None or client.client._md_update_fut.done():
        await asyncio.sleep(0)
    await producer._drop(client)
    with pytest.raises(Unavailable):
        await asyncio.wait_for(waiting, timeout=10.0)
    assert await producer.append_raw("producer.given-up", 0, [(b"key", b"value")]) == 0
