"""Topics that get more partitions, or are deleted and made again, under workers in their slots: every record counts."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from schemas.catalogue import topic_named
from schemas.codec.rows import RowCodec
from schemas.records import EngagementEvent, KpiUpdate, Record, RevenueEvent
from schemas.registries.registry import open_registry
from streams.engine.stage import Output
from streams.kafka.log_reader import read_range
from streams.kafka.producer import EventProducer
from tests.conftest import Stack
from tests.faults.conftest import WorkerProcess
from tests.support.faults.consumer_group import ConsumerGroup
from tests.support.faults.own_broker import OwnBroker, own_broker
from tests.support.faults.topic_changes import delete, delete_before, grow, make_again
from tests.support.postgres_tables import own_database

ROLES = ("kpis", "sink-postgres")
WITHIN_S = 60.0
WATCH = {"THREADS_TOPIC_WATCH_INTERVAL_S": "0.5"}
ENGAGEMENT, REVENUE = "engagement.events", "revenue.events"


@dataclass(frozen=True)
class Scene:
    """A broker and a database of one test, with a worker in a slot of its groups."""

    broker: OwnBroker
    dsn: str
    worker: WorkerProcess
    persona: str

    async def append(self, topic: str, partition: int, count: int) -> None:
        """Append records worth 1 each to a partition."""
        producer = EventProducer(self.broker.cluster, open_registry(None))
        try:
            await producer.append_all([Output(topic, self._record(topic), partition) for _ in range(count)])
        finally:
            await producer.stop()

    def _record(self, topic: str) -> Record:
        named: dict[str, Any] = {"event_id": uuid4().hex, "occurred_at": datetime.now(UTC), "persona_id": self.persona}
        if topic == ENGAGEMENT:
            return EngagementEvent(**named, post_id="post", kind="like", count=1)
        return RevenueEvent(**named, kind="sale", amount_micros=1)

    async def until_counted(self, topic: str, count: int) -> None:
        """Wait until both roles have counted so many records, and neither more nor less."""
        began = time.monotonic()
        while (found := await self._counted(topic)) != (count, count):
            assert time.monotonic() - began < WITHIN_S, f"{found} instead of {count}\n{self.worker.log()[-6_000:]}"
            assert self.worker.process.poll() is None, self.worker.log()[-6_000:]
            await asyncio.sleep(0.2)

    async def _counted(self, topic: str) -> tuple[int, int]:
        return await self._told(topic), await asyncio.to_thread(self._rows, topic)

    async def _told(self, topic: str) -> int:
        newest: KpiUpdate | None = None
        codec = RowCodec(open_registry(None))
        async for _, records in read_range(self.broker.cluster, "kpi.updates"):
            for record in records:
                update = codec.decode(topic_named("kpi.updates"), record.value)
                assert isinstance(update, KpiUpdate)
                if (update.persona_id, update.window) == (self.persona, "lifetime"):
                    newest = update
        if newest is None:
            return 0
        return newest.likes if topic == ENGAGEMENT else newest.revenue_micros

    def _rows(self, topic: str) -> int:
        table = topic.partition(".")[0]
        with psycopg.connect(self.dsn) as connection:
            try:
                (found,) = connection.execute(
                    f"SELECT count(*) FROM {table} WHERE persona_id = %s".encode(), [self.persona]
                ).fetchall()
            except psycopg.errors.UndefinedTable:
                return 0
        return int(found[0])

    async def until_committed(self, *topics: str) -> None:
        for role in ROLES:
            group = ConsumerGroup(self.broker.cluster, role)
            await group.until_done(topics, self.worker.log)


@pytest.fixture
def scene(stack: Stack, tmp_path: Path) -> Iterator[Scene]:
    with own_broker() as broker, own_database(stack.postgres_dsn) as dsn:
        log = tmp_path / "worker.log"
        worker = WorkerProcess(broker, ROLES, "0", log, THREADS_POSTGRES_DSN=dsn, **WATCH)
        try:
            yield Scene(broker, dsn, worker, f"persona-{uuid4().hex}")
        finally:
            worker.stop()


def all_of(partitions: int) -> Sequence[int]:
    return range(partitions)


@pytest.mark.timeout(240)
@pytest.mark.parametrize("workers", ["running", "restarted in their slots", "down"])
async def test_new_partitions_are_read_within_a_minute(scene: Scene, workers: str) -> None:
    for partition in all_of(4):
        await scene.append(ENGAGEMENT, partition, 3)
    await scene.until_counted(ENGAGEMENT, 12)
    if workers != "running":
        scene.worker.kill()
    if workers == "restarted in their slots":
        scene.worker.start()
        await scene.worker.until_running()
    await grow(scene.broker.cluster, ENGAGEMENT, 6)
    for partition in all_of(6):
        await scene.append(ENGAGEMENT, partition, 2)
    if workers == "down":
        scene.worker.start()
    await scene.until_counted(ENGAGEMENT, 24)
    scene.worker.restart()  # what is known now comes from the changelog, which has grown too
    await scene.append(ENGAGEMENT, 5, 5)
    await scene.until_counted(ENGAGEMENT, 29)


@pytest.mark.timeout(240)
@pytest.mark.parametrize("workers", ["running", "down"])
@pytest.mark.parametrize("topic", [REVENUE, ENGAGEMENT])
async def test_a_topic_that_is_made_again_is_read_from_its_beginning(scene: Scene, topic: str, workers: str) -> None:
    await scene.append(topic, 2, 3)
    await scene.until_counted(topic, 3)
    await scene.until_committed(topic)
    if workers == "down":
        scene.worker.kill()
    await delete(scene.broker.cluster, topic)
    await make_again(scene.broker.cluster, topic, 4)
    await scene.append(topic, 2, 5)
    if workers == "down":
        scene.worker.start()
    await scene.until_counted(topic, 8)
    scene.worker.restart()
    await scene.append(topic, 2, 1)
    await scene.until_counted(topic, 9)
    assert scene.worker.said("Dead letter") == 0


@pytest.mark.timeout(240)
async def test_a_topic_that_is_gone_is_waited_for_and_told_once_while_the_others_are_read(scene: Scene) -> None:
    await scene.append(REVENUE, 1, 2)
    await scene.until_counted(REVENUE, 2)
    scene.worker.kill()
    await delete(scene.broker.cluster, REVENUE)
    scene.worker.start()
    await scene.append(ENGAGEMENT, 1, 4)
    await scene.until_counted(ENGAGEMENT, 4)
    for role in ROLES:
        await scene.worker.until_said(f"{role}: topic revenue.events is not there")
    await make_again(scene.broker.cluster, REVENUE, 2)  # fewer than it had
    for partition in all_of(2):
        await scene.append(REVENUE, partition, 3)
    await scene.until_counted(REVENUE, 8)
    assert scene.worker.said("is not there") == len(ROLES)


@pytest.mark.timeout(240)
async def test_a_topic_that_shrinks_under_workers_is_read_and_told(scene: Scene) -> None:
    await scene.append(ENGAGEMENT, 3, 2)
    await scene.until_counted(ENGAGEMENT, 2)
    await delete(scene.broker.cluster, ENGAGEMENT)
    await make_again(scene.broker.cluster, ENGAGEMENT, 2)
    for partition in all_of(2):
        await scene.append(ENGAGEMENT, partition, 3)
    await scene.until_counted(ENGAGEMENT, 8)
    assert scene.worker.said(r"engagement\.events.*the group shares out its partitions anew") >= len(ROLES)


@pytest.mark.timeout(240)
async def test_records_that_were_deleted_before_they_were_read_are_told_by_their_number(scene: Scene) -> None:
    await scene.append(REVENUE, 2, 3)
    await scene.until_counted(REVENUE, 3)
    await scene.until_committed(REVENUE)
    scene.worker.kill()
    await scene.append(REVENUE, 2, 5)
    await delete_before(scene.broker.cluster, REVENUE, 2, 7)
    scene.worker.start()
    await scene.until_counted(REVENUE, 4)
    assert scene.worker.said(r"revenue.events/2: 4 records \(3 to 6\) were deleted before they were read") == len(ROLES)


@pytest.mark.timeout(240)
@pytest.mark.parametrize("made_again", [False, True], ids=["deleted", "made again"])
async def test_a_changelog_that_is_lost_is_told_and_written_from_its_local_copy(scene: Scene, made_again: bool) -> None:
    await scene.append(ENGAGEMENT, 1, 3)
    await scene.until_counted(ENGAGEMENT, 3)
    changelog = "kpis.merge.kpi.partials.changelog"
    await delete(scene.broker.cluster, changelog)
    if made_again:
        await make_again(scene.broker.cluster, changelog, 4)
    await scene.worker.until_said(f"the changelog {changelog} was deleted", WITHIN_S)
    await scene.worker.until_said("are written to it from the local copy", WITHIN_S)
    await scene.append(ENGAGEMENT, 1, 2)
    await scene.until_counted(ENGAGEMENT, 5)
    scene.worker.restart()
    await scene.append(ENGAGEMENT, 2, 1)
    await scene.until_counted(ENGAGEMENT, 6)
