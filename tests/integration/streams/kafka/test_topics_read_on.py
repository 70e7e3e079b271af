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
from streams.kafka.beginning import END, WHOLE, Beginning
from streams.kafka.producer import EventProducer
from streams.kafka.reader import follow
from streams.kafka.topic_tail import TopicTail
from streams.kafka.topics import ensure_topic
from streams.settings import Settings
from tests.conftest import Stack
from tests.support.faults.own_broker import OwnBroker, own_broker
from tests.support.faults.poison import golden_record
from tests.support.faults.topic_changes import delete, grow, make_again

SPEND = topic_named("spend.totals")
DEADLINE_S = 60.0


def watching(settings: Settings) -> Settings:
    return settings.model_copy(update={"topic_watch_interval_s": 0.2})


@asynccontextmanager
async def producing(settings: Settings) -> AsyncIterator[EventProducer]:
    assert settings.kafka is not None
    producer = EventProducer(settings.kafka, open_registry(None), settings)
    try:
        yield producer
    finally:
        await producer.stop()


async def test_consume_reads_new_partitions_and_a_topic_that_is_made_again(stack: Stack) -> None:
    settings, topic = watching(stack.settings), f"followed-{uuid4().hex[:8]}"
    await ensure_topic(settings, stack.bootstrap, topic, 1, {})
    found: list[bytes] = []
    async with producing(settings) as producer, aclosing(follow(settings, stack.bootstrap, topic, "latest")) as blocks:

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
        await grow(settings, topic, 3)
        await producer.send_raw(topic, None, b"in a new partition", partition=2)
        while b"in a new partition" not in found:
            await read(len(found) + 1)
        await delete(settings, topic)
        await make_again(settings, topic, 1)
        for number in range(2):
            await producer.send_raw(topic, None, b"again %d" % number, partition=0)
        await read(len(found) + 2)
        assert found[-2:] == [b"again 0", b"again 1"]


def total(name: str) -> SpendTotal:
    made = golden_record(SPEND)
    assert isinstance(made, SpendTotal)
    return replace(made, event_id=name, persona_id=name)


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
    settings = watching(broker.settings)
    tail = TopicTail(settings, open_registry(None), {SPEND: beginning}, SpendTotal)
    async with producing(settings) as producer:
        assert not await tail.news()
        await producer.append_all([Output(SPEND.name, total("old"), 0)])
        await until_news(tail, "old")
        await grow(settings, SPEND.name, 3)
        await producer.append_all([Output(SPEND.name, total("new"), 2)])
        await until_news(tail, "new")
        await delete(settings, SPEND.name)
        await make_again(settings, SPEND.name, 2)
        await producer.append_all([Output(SPEND.name, total(f"again {number}"), 1) for number in range(3)])
        await until_news(tail, "again 0", "again 1", "again 2")
    await tail.close()
