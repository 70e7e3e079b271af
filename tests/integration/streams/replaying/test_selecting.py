"""Selections are resolved against the real log: what it does not hold is said, what it lost meanwhile too."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from uuid import uuid4

import pytest
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete
from aiokafka.structs import TopicPartition as KafkaPartition

from streams.engine.batch import TopicPartition
from streams.kafka.cluster import Cluster
from streams.kafka.producer import EventProducer
from streams.kafka.topics import ensure_topic
from streams.replaying.planning import Plan, resolve, still_there
from streams.replaying.reading import read_plan
from streams.replaying.selection import BadSelection, Selection
from tests.conftest import Stack

RECORDS = 100


async def filled(stack: Stack, name: str, partitions: int = 2) -> None:
    """Make a topic with records 0 to 99 in the first partition and as many more in each other one."""
    await ensure_topic(stack.cluster, name, partitions, {"cleanup.policy": "delete", "retention.ms": "-1"})
    async with EventProducer(stack.cluster, stack.cluster.open_registry()) as producer:
        for partition in range(partitions):
            pairs = [(f"key {number % 4}".encode(), str(number).encode()) for number in range(RECORDS)]
            await producer.append_raw(name, partition, pairs)
            await asyncio.sleep(0.01)  # so that the broker's times differ


async def deleted(cluster: Cluster, source: TopicPartition, before: int) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=cluster.bootstrap)
    await admin.start()
    try:
        await admin.delete_records({KafkaPartition(*source): RecordsToDelete(before_offset=before)})
    finally:
        await admin.close()


async def remade(stack: Stack, name: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=stack.bootstrap)
    await admin.start()
    try:
        await admin.delete_topics([name])
    finally:
        await admin.close()
    for _ in range(50):
        try:
            await filled(stack, name)
        except Exception:  # noqa: BLE001 - the broker takes a moment to delete it
            await asyncio.sleep(0.1)
        else:
            return


async def test_ranges_are_resolved_and_those_that_are_not_there_are_said(stack: Stack) -> None:
    name = f"selected-{uuid4().hex}"
    await filled(stack, name)

    async def bounds(**chosen: object) -> list[tuple[int, int, int]]:
        plan = await resolve(stack.cluster, Selection(topics=(name,), **chosen))  # type: ignore[arg-type]
        return [(each.partition, each.next, each.end) for each in plan.positions]

    assert await bounds() == [(0, 0, 100), (1, 0, 100)]
    assert await bounds(partitions=(1,), from_offset=10, to_offset=20) == [(1, 10, 20)]
    assert await bounds(last=30) == [(1, 70, 100)]  # they came last
    assert await bounds(last=130) == [(0, 70, 100), (1, 0, 100)]
    assert await bounds(last=30, keys=("key 0",)) == [(0, 80, 100), (1, 0, 100)]
    for chosen, said in (
        ({"partitions": (2,)}, "has no partition 2: it has 0 to 1"),
        ({"from_offset": 3}, "offsets are of one partition"),
        ({"partitions": (0,), "from_offset": 50, "to_offset": 101}, "there are no offsets 50 to 101"),
        ({"partitions": (0,), "from_offset": 100}, f"{name}/0 has offsets 0 to 99 since 20"),
        ({"since_ms": 4_000_000_000_000}, f"nothing to read: {name}/0 has offsets 0 to 99"),
    ):
        with pytest.raises(BadSelection, match=said):
            await bounds(**chosen)
    with pytest.raises(BadSelection, match="there is no topic no-such"):
        await resolve(stack.cluster, Selection(topics=("no-such",)))


async def test_what_expires_under_a_run_is_counted_and_a_topic_made_again_is_never_read(stack: Stack) -> None:
    name = f"expiring-{uuid4().hex}"
    await filled(stack, name)
    plan = await resolve(stack.cluster, Selection(topics=(name,)))
    await deleted(stack.cluster, TopicPartition(name, 0), 40)
    remarks: list[str] = []
    assert await offsets_of(stack, plan, remarks) == [*range(40, 100), *range(100)]
    assert remarks == [f"{name}/0 has lost 40 offsets of the run, from 0 on: they can't be read"]
    again = await resolve(stack.cluster, Selection(topics=(name,)))
    assert again.notes[0].startswith(f"{name}/0 begins at offset 40 of 20")
    await remade(stack, name)
    with pytest.raises(BadSelection, match=f"topic {name} was made again since the run began"):
        await still_there(stack.cluster, plan)
    with pytest.raises(BadSelection, match="was made again"):
        await offsets_of(stack, plan, remarks)


async def offsets_of(stack: Stack, plan: Plan, remarks: list[str]) -> list[int]:
    """Return the offsets that are read, by partition."""
    found: dict[int, list[int]] = {}
    async with aclosing(read_plan(stack.cluster, plan, remarks.append)) as blocks:
        async for block in blocks:
            found.setdefault(block.source.partition, []).extend(record.offset for record in block.records)
    return [offset for _, offsets in sorted(found.items()) for offset in offsets]
