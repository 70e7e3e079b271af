"""A log with holes, made by another client's transactions: no record is lost, and offsets are committed exactly."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import ClassVar

import pytest
from aiokafka import AIOKafkaProducer

from schemas.catalogue import topic_named
from schemas.codec.rows import RowCodec
from schemas.records import RevenueEvent
from schemas.registries.registry import open_registry
from streams.engine.batch import ColumnBatch, TopicPartition
from streams.engine.stage import Effects, Part, Rejection, Stage
from streams.engine.worker import Worker
from streams.kafka.log_reader import read_range
from streams.role import Role
from streams.settings import Settings
from tests.conftest import Stack
from tests.support.faults.consumer_group import ConsumerGroup

TOPIC = topic_named("revenue.events")
DEADLINE_S = 40.0
TRANSACTIONS = 60


@dataclass
class Book:
    """What a stage has seen and made durable, over all its lives; it dies at the calls of `add` in `deaths`."""

    deaths: set[int]
    adds: int = 0
    seen: set[str] = field(default_factory=set)
    durable: set[str] = field(default_factory=set)


class RecorderPart(Part[ColumnBatch]):
    """Write down the ids of events."""

    def __init__(self, book: Book) -> None:
        self._book = book
        self._pending: set[str] = set()

    async def add(self, batch: ColumnBatch) -> Sequence[Rejection]:
        self._book.adds += 1
        if self._book.adds in self._book.deaths:
            raise ZeroDivisionError("the stage dies in the middle of a slice")
        self._pending.update(batch.frame["event_id"].to_list())
        self._book.seen |= self._pending
        return ()

    def flush(self) -> Effects:
        self._book.durable |= self._pending
        self._pending = set()
        return Effects()


class Recorder(Stage[RecorderPart]):
    """A stage of such parts."""

    name: ClassVar[str] = "record"
    topics: ClassVar[tuple[str, ...]] = (TOPIC.name,)

    def __init__(self, book: Book) -> None:
        self._book = book

    async def take(self, source: TopicPartition, state: Iterable[tuple[bytes, bytes]]) -> RecorderPart:
        del source, state
        return RecorderPart(self._book)


@dataclass
class Written:
    """Where the events of committed transactions are, and the ids of those that were aborted."""

    offset_of: dict[str, tuple[TopicPartition, int]] = field(default_factory=dict)
    aborted: set[str] = field(default_factory=set)

    def ends(self) -> dict[TopicPartition, int]:
        """Return the offset behind the last committed event of each partition."""
        ends: dict[TopicPartition, int] = {}
        for source, offset in self.offset_of.values():
            ends[source] = max(ends.get(source, 0), offset + 1)
        return ends

    def before(self, committed: dict[TopicPartition, int]) -> set[str]:
        """Return the events in front of committed offsets."""
        return {each for each, (source, offset) in self.offset_of.items() if offset < committed.get(source, 0)}


def revenue(event_id: str) -> bytes:
    event = RevenueEvent(
        event_id=event_id, occurred_at=datetime.now(UTC), persona_id=f"persona-{event_id}", kind="sale", amount_micros=1
    )
    return RowCodec(open_registry(None)).encode(TOPIC, event)


async def write_transactions(stack: Stack, seed: int) -> Written:
    """Append transactions of one to four events to any partitions, every third aborted: each leaves a marker."""
    random_ = random.Random(seed)
    written = Written()
    producer = AIOKafkaProducer(bootstrap_servers=stack.bootstrap, transactional_id=f"gaps-{seed}")
    await producer.start()
    try:
        for number in range(TRANSACTIONS):
            await producer.begin_transaction()
            sent = {}
            for place in range(random_.randrange(1, 5)):
                event_id = f"{seed}-{number}-{place}"
                sent[event_id] = await producer.send_and_wait(
                    TOPIC.name, revenue(event_id), partition=random_.randrange(2)
                )
            if number % 3 == 1:
                await producer.abort_transaction()
                written.aborted |= sent.keys()
            else:
                await producer.commit_transaction()
                places = {each: (TopicPartition(TOPIC.name, at.partition), at.offset) for each, at in sent.items()}
                written.offset_of |= places
    finally:
        await producer.stop()
    return written


@asynccontextmanager
async def living(role: Role, settings: Settings) -> AsyncIterator[asyncio.Task[int]]:
    """Run a worker in a slot of its group; at the end it drains."""
    worker = Worker([role], settings, "0")
    life = asyncio.create_task(worker.run())
    try:
        yield life
    finally:
        worker.end()
        await life


async def until(condition: Callable[[], bool], life: asyncio.Task[int]) -> None:
    """Wait until a condition holds or the worker has ended."""
    async with asyncio.timeout(DEADLINE_S):
        while not life.done():
            if condition():
                return
            await asyncio.wait([life], timeout=0.02)


@pytest.mark.timeout(120)
async def test_a_stage_that_dies_in_a_log_with_holes_loses_no_record_and_commits_exactly(
    stack: Stack, seed: int
) -> None:
    written = await write_transactions(stack, seed)
    settings = stack.settings.model_copy(update={"fetch_max_records": 3, "checkpoint_interval_s": 0.01})
    book = Book(deaths={5, 13, 22})
    role = Role(f"gaps-{seed}", lambda _: [Recorder(book)])
    group = ConsumerGroup(stack.cluster, role.name)
    lives = 0
    while not written.offset_of.keys() <= book.durable:
        lives += 1
        async with living(role, settings) as life:
            await until(lambda: written.offset_of.keys() <= book.durable, life)
        committed = await group.committed()
        assert written.before(committed) <= book.durable, "committed past a record that was not processed"
    assert lives == len(book.deaths) + 1
    assert written.aborted.isdisjoint(book.seen)
    ends = written.ends()
    assert {source: offset for source, offset in committed.items() if source in ends} == ends


async def test_a_range_that_ends_in_transaction_markers_is_read_to_its_end(stack: Stack, seed: int) -> None:
    written = await write_transactions(stack, seed)
    codec = RowCodec(open_registry(None))
    found = set()
    async with asyncio.timeout(DEADLINE_S):
        async for _, records in read_range(stack.cluster, TOPIC.name):
            found |= {str(codec.decode_dict(TOPIC, record.value)["event_id"]) for record in records}
    assert written.offset_of.keys() <= found
    assert written.aborted.isdisjoint(found)
