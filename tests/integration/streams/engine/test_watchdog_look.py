"""The watchdog asks the broker whether a stage that has nothing in hand is idle, or starved of records that wait."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING
from uuid import uuid4

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.structs import OffsetAndMetadata
from aiokafka.structs import TopicPartition as KafkaPartition

from streams.engine.batch import TopicPartition
from streams.engine.health import WorkerHealth
from streams.engine.watchdog import EXIT_STATUS, Watchdog
from streams.kafka.log_reader import log_bounds
from tests.support.loop_in_memory import SOURCE, CountingStage, StageWorker, Surroundings
from tests.support.until import until

if TYPE_CHECKING:
    from tests.conftest import Stack

LIMIT_S = 0.2


class NothingKnown:
    """A transport that was told of no record, as one whose fetching hangs."""

    def newest(self, source: TopicPartition) -> int | None:
        del source
        return None

    def is_full(self, source: TopicPartition) -> bool:
        del source
        return False


async def commit(stack: Stack, group: str, offset: int) -> None:
    async with AIOKafkaConsumer(
        bootstrap_servers=stack.bootstrap, group_id=group, enable_auto_commit=False
    ) as consumer:
        consumer.assign([KafkaPartition(*SOURCE)])
        await consumer.commit({KafkaPartition(*SOURCE): OffsetAndMetadata(offset, "")})


async def test_a_stage_is_ended_when_the_broker_has_records_that_do_not_come_and_not_before(stack: Stack) -> None:
    async with AIOKafkaProducer(bootstrap_servers=stack.bootstrap) as producer:
        await producer.send_and_wait(SOURCE.topic, b"no event", partition=SOURCE.partition)
    group, (_, end) = f"group-{uuid4().hex}", await log_bounds(stack.cluster, SOURCE)
    await commit(stack, group, end)
    worker = StageWorker(Surroundings(), CountingStage())
    await worker.join(1, SOURCE)
    await worker.loop.tick()
    worker.now += 1
    health = WorkerHealth(asyncio.get_running_loop(), [group], {}, LIMIT_S)
    told, exited = list[str](), threading.Event()
    looks = 0

    def count_looks() -> float:
        nonlocal looks
        looks += 1
        return looks * LIMIT_S  # each look comes when the last is old enough

    watchdog = Watchdog(
        health,
        stack.cluster,
        ends=lambda why, role, stage: told.append(f"{why} {role} {stage}"),
        within_s=0.01,
        exit_process=lambda status: exited.set() if status == EXIT_STATUS else None,
        monotonic=count_looks,
    )
    with health.watching(group, [worker.loop], NothingKnown()), watchdog:
        await until(lambda: looks > 5, 60)
        assert not told
        await commit(stack, group, end - 1)
        await until(exited.is_set, 60)
    assert told[0].startswith(f"{group}/counting makes no progress while records wait: it got no records for")
    assert told[0].endswith(f"{group} counting")
