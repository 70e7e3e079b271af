"""What operators do to topics: more partitions, delete, make again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, NewTopic, RecordsToDelete
from aiokafka.structs import TopicPartition as KafkaPartition

from streams.kafka.cluster import Cluster
from streams.kafka.topics import ensure_partitions

DEADLINE_S = 30.0


@asynccontextmanager
async def _admin(cluster: Cluster) -> AsyncIterator[AIOKafkaAdminClient]:
    client = AIOKafkaAdminClient(bootstrap_servers=cluster.bootstrap)
    await client.start()
    try:
        yield client
    finally:
        await client.close()


async def grow(cluster: Cluster, topic: str, partitions: int) -> None:
    """Give a topic more partitions."""
    async with _admin(cluster) as client:
        await client.create_partitions({topic: NewPartitions(partitions)})
    assert await ensure_partitions(cluster, topic, partitions) == partitions


async def delete(cluster: Cluster, topic: str) -> None:
    """Delete a topic, and wait until it is gone."""
    async with _admin(cluster) as client, asyncio.timeout(DEADLINE_S):
        await client.delete_topics([topic])
        while (await client.describe_topics([topic]))[0]["error_code"] == 0:
            await asyncio.sleep(0.05)


async def make_again(cluster: Cluster, topic: str, partitions: int) -> None:
    """Make a topic that was deleted, and wait until it can be written to."""
    async with _admin(cluster) as client, asyncio.timeout(DEADLINE_S):
        await client.create_topics([NewTopic(topic, partitions, 1)])
        while any(each["leader"] < 0 for each in (await client.describe_topics([topic]))[0]["partitions"]):
            await asyncio.sleep(0.05)


async def delete_before(cluster: Cluster, topic: str, partition: int, offset: int) -> None:
    """Delete the records before an offset, as retention does."""
    async with _admin(cluster) as client:
        await client.delete_records({KafkaPartition(topic, partition): RecordsToDelete(offset)})
