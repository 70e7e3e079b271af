"""Let a record pass that stops a partition: its letter is written by hand, and the stopped worker goes on behind it.

The letter is what a worker writes where the policy is `park`, so the record can be redriven later. It is written
only where the consumer's group stands exactly before that record and does not move: a record that was processed must
have no letter.
"""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from datetime import UTC, datetime

from aiokafka.structs import ConsumerRecord

from schemas.records import DeadLetter
from schemas.registries.registry import SchemaRegistry
from streams.engine.batch import TopicPartition
from streams.engine.dead_letters import dead_letter
from streams.errors import RecordFault, ThreadsError
from streams.kafka.cluster import Cluster
from streams.kafka.consumer_lag import LagReader
from streams.kafka.log_reader import read_offsets
from streams.kafka.producer import EventProducer
from streams.kafka.record_size import letter_room
from streams.letters.content import content_of
from streams.policies import Policies

STANDS_FOR_S = 2.0
BY_HAND = "LetPass"


class NotStopped(ThreadsError):
    """The consumer does not stand before that record; nothing was written."""


async def stopped_record(
    cluster: Cluster, consumer: str, source: TopicPartition, offset: int, stands_for_s: float = STANDS_FOR_S
) -> ConsumerRecord:
    """Return the record that a consumer stands before.

    Raises:
        NotStopped: the policy of its topic is another, the group is elsewhere or moves; the text says where it is.
        Unavailable: the broker is away.
    """
    policy = Policies(cluster.settings.dead_letter_policy).of(source.topic)
    if policy != "stop":
        raise NotStopped(
            f"The policy of {source.topic} is {policy}: no worker stops there; "
            "set THREADS_DEAD_LETTER_POLICY here as the workers have it"
        )
    for pause_s in (0.0, stands_for_s):
        await asyncio.sleep(pause_s)
        record = await _next_record(cluster, consumer, source)
        if record is None or record.offset != offset:
            there = "at the end of the log" if record is None else f"before offset {record.offset}"
            raise NotStopped(
                f"{consumer} stands {there} of {source.topic}/{source.partition}, not before {offset}; "
                "`threads-agent status` tells where it is stopped"
            )
    assert record is not None
    return record


async def _next_record(cluster: Cluster, consumer: str, source: TopicPartition) -> ConsumerRecord | None:
    async with LagReader(cluster) as reader:
        [lag] = await reader.lags_from(consumer, {source: None})
    async with aclosing(read_offsets(cluster, source, lag.position, lag.end)) as blocks:
        async for records in blocks:
            return records[0]
    return None


async def let_pass(
    cluster: Cluster,
    registry: SchemaRegistry,
    consumer: str,
    source: TopicPartition,
    record: ConsumerRecord,
    *,
    because: str,
    requested_by: str,
) -> DeadLetter:
    """Write the letter of a record that a consumer stands before, and return it; twice is once.

    Raises:
        Unavailable: the broker or the registry is away.
    """
    room = letter_room(cluster.settings)
    said = f"let pass by {requested_by}: {because}"
    output = dead_letter(
        consumer, source, record, RecordFault(said, error_class=BY_HAND), now=datetime.now(UTC), max_bytes=room
    )
    assert isinstance(output.record, DeadLetter)
    problem = content_of(output.record, registry).problem
    fault = RecordFault(said if problem is None else f"{said}; {problem}", error_class=BY_HAND)
    output = dead_letter(consumer, source, record, fault, now=datetime.now(UTC), max_bytes=room)
    async with EventProducer(cluster, registry) as producer:
        await producer.append_all([output])
    assert isinstance(output.record, DeadLetter)
    return output.record
