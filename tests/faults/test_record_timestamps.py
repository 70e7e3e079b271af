"""Records whose timestamps jump back and forth: events count by when they occurred, whatever the broker's log says."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import InvalidTimestampError

from schemas.catalogue import topic_named
from schemas.codec.rows import RowCodec
from schemas.records import EngagementEvent
from schemas.registries.registry import open_registry
from tests.faults.conftest import WorkerProcess
from tests.support.faults.dated_load import counted, dated_events, now_ms
from tests.support.faults.fault_report import BeginFault
from tests.support.faults.own_broker import OwnBroker, own_broker

TOPIC = topic_named("engagement.events")
CODEC = RowCodec(open_registry(None))
EVENTS = 10_000
BLOCK = 500
DEADLINE_S = 60.0
IN_1970_MS, IN_2001_MS, IN_2100_MS = 0, 978_307_200_000, 4_102_444_800_000


@pytest.fixture
def broker() -> Iterator[OwnBroker]:
    with own_broker() as made:
        yield made


@pytest.mark.timeout(600)
async def test_record_timestamps_that_jump_move_no_event_to_another_window(
    broker: OwnBroker, tmp_path: Path, seed: int, begin_fault: BeginFault
) -> None:
    run = begin_fault("record timestamps jump between 1970 and 2100")
    await allow_any_timestamp(broker)
    events = dated_events(f"{seed}-jumping", EVENTS)
    worker = WorkerProcess(broker, ("kpis",), "0", tmp_path / "worker.log")
    try:
        random_ = random.Random(seed)
        for start in range(0, len(events), BLOCK):
            at_ms = random_.choice([IN_1970_MS, IN_2001_MS, now_ms(), IN_2100_MS])
            await append_at(broker, events[start : start + BLOCK], at_ms)
            run.inflict("jump")
        assert await run.settle_on(broker, lambda: counted(events, now_ms()), EVENTS) == 0, worker.log()[-3_000:]
        worker.restart()  # the ids before the committed offset are looked up in the log again
        await append_at(broker, events[-BLOCK:], IN_1970_MS)
        again = dated_events(f"{seed}-again", EVENTS // 10)
        await append_at(broker, again, IN_2100_MS)
        events += again
        assert await run.settle_on(broker, lambda: counted(events, now_ms()), len(again)) == 0, worker.log()[-3_000:]
    finally:
        worker.stop()


async def allow_any_timestamp(broker: OwnBroker) -> None:
    """Let the topic take timestamps of the future, as brokers before Kafka 4 do; newer ones refuse them."""
    admin = AIOKafkaAdminClient(bootstrap_servers=broker.bootstrap)
    await admin.start()
    try:
        anything = {"message.timestamp.after.max.ms": str(2**63 - 1)}
        answer = await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, TOPIC.name, configs=anything)])
    finally:
        await admin.close()
    assert [error for response in answer for error, *_ in response.resources] == [0]


async def append_at(broker: OwnBroker, events: Sequence[EngagementEvent], timestamp_ms: int) -> None:
    """Append events whose records say that they were made at some time."""
    producer = AIOKafkaProducer(bootstrap_servers=broker.bootstrap, enable_idempotence=True)
    await producer.start()
    try:
        async with asyncio.timeout(DEADLINE_S):
            while any(await sent(producer, events, timestamp_ms)):  # the topic's new configuration is not yet in force
                await asyncio.sleep(0.2)
    finally:
        await producer.stop()


async def sent(producer: AIOKafkaProducer, events: Sequence[EngagementEvent], timestamp_ms: int) -> list[bool]:
    """Append events and tell for each whether its timestamp was refused; what is sent twice counts once."""
    queued = [
        await producer.send(TOPIC.name, CODEC.encode(TOPIC, each), each.persona_id.encode(), timestamp_ms=timestamp_ms)
        for each in events
    ]
    results = await asyncio.gather(*queued, return_exceptions=True)
    others = [each for each in results if isinstance(each, Exception) and not isinstance(each, InvalidTimestampError)]
    assert others == []
    return [isinstance(each, InvalidTimestampError) for each in results]
