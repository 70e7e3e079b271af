"""A seek before anything is committed: what was fetched and thrown away at a rebalance comes again."""

from __future__ import annotations

from pathlib import Path
from uuid import uuid4

from aiokafka import AIOKafkaConsumer
from aiokafka.structs import TopicPartition

from schemas.registries.registry import open_registry
from streams.engine.app import make_app
from streams.kafka.cluster import Cluster
from streams.kafka.producer import EventProducer
from streams.kafka.topics import ensure_topic
from streams.settings import Settings
from tests.conftest import Stack

RECORDS = 10


def raised(error: BaseException) -> None:
    raise error


async def test_partitions_without_a_commit_are_read_again_from_their_beginning(stack: Stack, tmp_path: Path) -> None:
    name = f"seek-{uuid4().hex[:8]}"
    partition = TopicPartition(name, 0)
    await ensure_topic(stack.cluster, name, 1, {})
    producer = EventProducer(stack.cluster, open_registry(None))
    await producer.append_raw(name, 0, [(b"key", b"value")] * RECORDS)
    await producer.stop()
    client = AIOKafkaConsumer(
        bootstrap_servers=stack.bootstrap, group_id=name, enable_auto_commit=False, auto_offset_reset="earliest"
    )
    client.assign([partition])
    thread = make_app(name, Cluster(stack.bootstrap, Settings(home=tmp_path)), None, raised).consumer._thread
    thread._consumer = client
    try:
        await client.start()
        fetched = await client.getmany(partition, timeout_ms=20_000)
        assert len(fetched[partition]) == RECORDS
        await thread._rewound()
        assert await client.position(partition) == 0
        await client.commit({partition: 4})
        await thread._rewound()
        assert await client.position(partition) == 4
    finally:
        await client.stop()
        thread.thread_loop.close()
