"""`consume` and the tails of topics go on when a topic gets partitions or is made again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import replace
from uuid import uuid4

import pytest

from schemas.catalogue import topic_named
from schemas.records import SpendTotal
from schemas.registries.registry import open_registry
from streams.engine.stage import Output
from streams.errors import Unavailable
from streams.kafka.cluster import Cluster
from streams.kafka.log_reader import follow
from streams.kafka.producer import EventProducer
from streams.kafka.topic_tail import END, WHOLE, Beginning, TopicTail
from streams.kafka.topics import ensure_topic
from tests.conftest import Stack
from tests.support.faults.own_broker import OwnBroker, own_broker
from tests.support.faults.poison import golden_record
from tests.support.faults.topic_changes import delete, grow, make_again

SPEND = topic_named("spend.totals")
DEADLINE_S = 60.0


def watching(cluster: Cluster) -> Cluster:
    return Cluster(cluster.bootstrap, cluster.settings.model_copy(update={"topic_watch_interval_s": 0.2}))


async def test_consume_reads_new_partitions_and_a_topic_that_is_made_again(stack: Stack) -> None:
    cluster, topic = watching(stack.cluster), f"followed-{uuid4().hex[:8]}"
    await ensure_topic(cluster, topic, 1, {})
    found: list[bytes] = []
    async with (
        EventProducer(cluster, open_registry(None)) as producer,
        aclosing(follow(cluster, topic, "latest")) as blocks,
    ):

        async def read(count: int) -> list[bytes]:
            async with asyncio.timeout(DEADLINE_S):
                while len(found) < count:
                    _, records = await anext(blocks)
                    found.extend(record.value for record in records)
            return found

        first = asyncio.create_task(read(1))
        while not first.done():  # what came before it looked is not of its business
            await producer.send_raw(topic, None, b"early", partition=0)
            await asyncio.wait([first], timeout=0.2)
        await grow(cluster, topic, 3)
        await producer.send_raw(topic, None, b"in a new partition", partition=2)
        while b"in a new partition" not in found:
            await read(len(found) + 1)
        await delete(cluster, topic)
        await make_again(cluster, topic, 1)
        for number in range(2):
            await producer.send_raw(topic, None, b"again %d" % number, partition=0)
        await read(len(found) + 2)
        assert found[-2:] == [b"again 0", b"again 1"]


def total(name: str) -> SpendTotal:
    made = golden_record(SPEND)
    assert isinstance(made, SpendTotal)
    return replace(made, event_id=name, persona_id=name)


@asynccontextmanager
async def tailing(cluster: Cluster, beginning: Beginning) -> AsyncIterator[TopicTail[SpendTotal]]:
    tail = TopicTail(cluster, open_registry(None), {SPEND: beginning}, SpendTotal)
    try:
        yield tail
    finally:
        await tail.close()


async def until_news(tail: TopicTail[SpendTotal], *names: str) -> None:
    """Read on until these have come, in any order, and nothing else."""
    came: list[str] = []
    async with asyncio.timeout(DEADLINE_S):
        while len(came) < len(names):
            with suppress(Unavailable):  # while the topic is gone
                came += [each.event_id for each in await tail.news()]
            await asyncio.sleep(0.05)
    assert sorted(came) == sorted(names)


@pytest.fixture
def broker() -> Iterator[OwnBroker]:
    with own_broker() as made:
        yield made


@pytest.mark.timeout(240)
@pytest.mark.parametrize("beginning", [WHOLE, END], ids=["whole", "end"])
async def test_a_tail_reads_new_partitions_and_a_topic_that_is_made_again_as_news(
    broker: OwnBroker, beginning: Beginning
) -> None:
    cluster = watching(broker.cluster)
    async with tailing(cluster, beginning) as tail, EventProducer(cluster, open_registry(None)) as producer:
        assert not await tail.news()
        await producer.append_all([Output(SPEND.name, total("old"), 0)])
        await until_news(tail, "old")
        await grow(cluster, SPEND.name, 3)
        await producer.append_all([Output(SPEND.name, total("new"), 2)])
        await until_news(tail, "new")
        await delete(cluster, SPEND.name)
        await make_again(cluster, SPEND.name, 2)
        await producer.append_all([Output(SPEND.name, total(f"again {number}"), 1) for number in range(3)])
        await until_news(tail, "again 0", "again 1", "again 2")


@pytest.mark.timeout(240)
@pytest.mark.parametrize("beginning", [WHOLE, END], ids=["whole", "end"])
async def test_a_tail_that_lost_its_connection_while_a_topic_was_made_again_reads_it_as_news(
    broker: OwnBroker, beginning: Beginning
) -> None:
    cluster = watching(broker.cluster)
    async with tailing(cluster, beginning) as tail, EventProducer(cluster, open_registry(None)) as producer:
        assert not await tail.news()
        await producer.append_all([Output(SPEND.name, total("old"), 0)])
        await until_news(tail, "old")
        await tail.close()
        await delete(cluster, SPEND.name)
        await make_again(cluster, SPEND.name, 2)
        await producer.append_all([Output(SPEND.name, total("again"), 1)])
        await until_news(tail, "again")
