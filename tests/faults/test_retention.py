"""Retention takes the beginning of the log: KPIs and totals stay exact, with the local state and without it."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest

from agents.kpis.counters import SOURCE_TOPICS
from schemas.records import EngagementEvent
from streams.engine.stage import Output
from streams.kafka.producer import EventProducer
from streams.kafka.topic_retention import change_retention, retention_changes
from streams.kafka.topics import describe_drift
from tests.conftest import Stack
from tests.faults.conftest import WorkerProcess
from tests.support.faults.consumer_group import ConsumerGroup
from tests.support.faults.own_broker import OwnBroker, own_broker
from tests.support.faults.topic_changes import delete_before
from tests.support.persona_life import life
from tests.support.postgres_tables import own_database, query

ROLES = ("kpis", "sink-postgres")
TOPICS = (*SOURCE_TOPICS, "kpi.partials", "kpi.updates")
LEFT = 50
KPIS = """
SELECT window_name, views, posts, cost_micros, revenue_micros FROM kpi_current
WHERE persona_id = 'kept' AND window_name IN ('lifetime', '30d') ORDER BY 1"""
TOTALS = """
SELECT (SELECT sum(count)::bigint FROM day_totals WHERE persona_id = 'kept'), views, first_day_views
FROM post_kpis WHERE persona_id = 'kept'"""


class House:
    """A broker and a database with a worker on them."""

    def __init__(self, broker: OwnBroker, dsn: str, folder: Path) -> None:
        self.cluster, self.dsn, self.home = broker.cluster, dsn, broker.settings.home
        self.worker = WorkerProcess(broker, ROLES, "kept", folder / "worker.log", THREADS_POSTGRES_DSN=dsn)

    async def produce(self, outputs: list[Output]) -> None:
        async with EventProducer(self.cluster, self.cluster.open_registry()) as producer:
            await producer.append_all(outputs)

    async def forget_all_but(self, last: int) -> None:
        """Delete all but the last records of each partition, as retention does."""
        for source, end in (await ConsumerGroup(self.cluster, "kpis").ends(*TOPICS)).items():
            await delete_before(self.cluster, source.topic, source.partition, max(end - last, 0))

    async def until(self, statement: str, rows: list[tuple[Any, ...]]) -> None:
        found: list[tuple[Any, ...]] = []
        try:
            async with asyncio.timeout(60):
                while (found := self._found(statement)) != rows:
                    await asyncio.sleep(0.2)
        except TimeoutError:
            pytest.fail(f"expected {rows}, got {found}\n{self.worker.log()[-3_000:]}")

    def _found(self, statement: str) -> list[tuple[Any, ...]]:
        try:
            return query(self.dsn, statement)
        except psycopg.errors.UndefinedTable:  # the worker has not made them yet
            return []

    async def until_counted(self, views: int) -> None:
        """Wait until each number is that of all that was ever sent."""
        counted = (views, 1, 700, 5_000_000)
        await self.until(KPIS, [("30d", *counted), ("lifetime", *counted)])
        await self.until(TOTALS, [(views, views, views)])


@pytest.fixture
def house(stack: Stack, tmp_path: Path) -> Iterator[House]:
    with own_broker() as broker, own_database(stack.postgres_dsn) as dsn:
        made = House(broker, dsn, tmp_path)
        yield made
        made.worker.stop()


@pytest.mark.timeout(300)
async def test_numbers_stay_exact_when_the_log_loses_its_beginning(house: House) -> None:
    now = datetime.now(UTC).replace(microsecond=0)
    first = list(life("kept", now, events=1_000))
    await house.produce(first)
    await house.worker.until_running()
    await house.until_counted(1_000)

    house.worker.kill()
    await house.forget_all_but(LEFT)
    shutil.rmtree(house.home / "state")  # the changelog has all of it
    house.worker.start()
    views = [each for each in first if each.topic == "engagement.events"]
    await house.produce([*views[-LEFT:], *more(views[0], 500, now)])  # what the log still has is a repetition
    await house.until_counted(1_500)

    house.worker.restart()  # with the local state
    settings = house.cluster.settings.model_copy(update={"retention": "engagement.events=30d,kpi.updates=30d"})
    wanted = replace(house.cluster, settings=settings)
    changes = await retention_changes(wanted)
    assert [str(each) for each in changes] == [
        "engagement.events from forever to 30d: older records are deleted",
        "kpi.updates from forever to 30d: older records are deleted",
    ]
    await change_retention(wanted, changes)
    assert {each.state for each in await describe_drift(wanted)} == {"as wanted"}
    await house.produce(more(views[0], 100, now, start=500))
    await house.until_counted(1_600)


def more(like: Output, count: int, now: datetime, start: int = 0) -> list[Output]:
    event = like.record
    assert isinstance(event, EngagementEvent)
    return [
        replace(like, record=replace(event, event_id=f"more {number}", occurred_at=now))
        for number in range(start, start + count)
    ]
