"""Errors that nobody thought of: the record is found and set aside, or the role stops and says that it is failing."""

from __future__ import annotations

import asyncio
import sys
import time
import urllib.request
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest
from prometheus_client.parser import text_string_to_metric_families

from schemas.records import DeadLetter, EngagementEvent
from schemas.registries.registry import open_registry
from streams.embedded.ports import free_port
from streams.engine.stage import Output
from streams.kafka.producer import EventProducer
from streams.metrics import WORKER_ROLE_FAILING
from streams.running_workers import RunningWorker, running_workers
from tests.conftest import REPOSITORY, Stack
from tests.faults.conftest import WorkerProcess
from tests.support.faults.crashing_role import CRASHING
from tests.support.faults.dead_letters import dead_letters
from tests.support.faults.fault_report import BeginFault
from tests.support.faults.own_broker import OwnBroker, own_broker
from tests.support.postgres_tables import own_database, query

TOPIC = "engagement.events"
SINK = "sink-postgres"
CURSED = "cursed"
DEADLINE_S = 120.0
TRAP = f"""
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.persona_id = '{CURSED}' THEN RAISE EXCEPTION 'nobody thought of this'; END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER refuse BEFORE INSERT ON engagement FOR EACH ROW EXECUTE FUNCTION refuse();
"""


@pytest.fixture
def broker() -> Iterator[OwnBroker]:
    with own_broker() as made:
        yield made


@asynccontextmanager
async def producing(broker: OwnBroker) -> AsyncIterator[EventProducer]:
    producer = EventProducer(broker.cluster, open_registry(None))
    await producer.start()
    try:
        yield producer
    finally:
        await producer.stop()


async def produce(broker: OwnBroker, personas: Sequence[str], first: int = 0, partition: int = 0) -> None:
    events = [
        EngagementEvent(
            event_id=f"e{number}", occurred_at=datetime.now(UTC), persona_id=persona, kind="view", count=1, post_id="p"
        )
        for number, persona in enumerate(personas, first)
    ]
    async with producing(broker) as producer:
        await producer.append_all([Output(TOPIC, each, partition) for each in events])


async def letters(broker: OwnBroker) -> list[DeadLetter]:
    return [letter async for _, letter in dead_letters(broker)]


async def until(condition: Callable[[], bool], explain: Callable[[], str]) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline, explain()
        await asyncio.sleep(0.1)


def rows(dsn: str) -> set[str]:
    return {event_id for (event_id,) in query(dsn, "SELECT event_id FROM engagement")}


def failing_role(home: Path) -> RunningWorker | None:
    """Return the worker of a home that says that it gave the sink up."""
    return next((each for each in running_workers(home) if SINK in each.failing), None)


def failing_gauge(worker: RunningWorker) -> float:
    with urllib.request.urlopen(worker.metrics_url, timeout=10) as answer:
        text = answer.read().decode()
    [family] = [each for each in text_string_to_metric_families(text) if each.name == WORKER_ROLE_FAILING.name]
    return family.samples[0].value


@pytest.mark.timeout(300)
async def test_a_row_that_ends_the_sink_is_dead_lettered_and_a_table_that_is_gone_stops_it_without_any_loss(
    broker: OwnBroker, stack: Stack, tmp_path: Path, begin_fault: BeginFault
) -> None:
    run = begin_fault("an error nobody thought of in a sink: of one row, then of the table")
    with own_database(stack.postgres_dsn) as dsn:
        environment = {"THREADS_POSTGRES_DSN": dsn, "THREADS_WORKER_METRICS_PORT": str(free_port())}
        worker = WorkerProcess(broker, (SINK,), "0", tmp_path / "worker.log", None, **environment)
        try:
            await worker.until_running()
            with psycopg.connect(dsn, autocommit=True) as connection:
                connection.execute(TRAP.encode())
            run.inflict("row that a trigger refuses")
            await produce(broker, [CURSED if number == 150 else "ada" for number in range(300)])
            await until(lambda: len(rows(dsn)) == 299, worker.log)
            assert worker.process.poll() is None, "the process need not end for it"
            [letter] = await letters(broker)
            assert (letter.consumer, letter.error_class, letter.source_offset) == (SINK, "RaiseException", 150)
            assert "nobody thought of this" in letter.reason

            with psycopg.connect(dsn, autocommit=True) as connection:
                connection.execute(b"ALTER TABLE engagement RENAME TO engagement_gone")
            run.inflict("table gone")
            await produce(broker, ["bo"] * 50, first=300)
            await until(lambda: failing_role(broker.settings.home) is not None, worker.log)
            given_up = failing_role(broker.settings.home)
            assert given_up is not None
            assert "UndefinedTable" in given_up.failing[SINK]
            assert failing_gauge(given_up) == 1.0
            assert worker.said(f"{SINK} is failing and does not run") == 1
            assert worker.stop() == 0

            with psycopg.connect(dsn, autocommit=True) as connection:
                connection.execute(b"ALTER TABLE engagement_gone RENAME TO engagement")
            mended = time.monotonic()
            worker.start()
            await until(lambda: len(rows(dsn)) == 349, worker.log)
        finally:
            worker.stop()
        assert len(await letters(broker)) == 1, "a record was dropped that was not the cause"
        run.events = 350
        run.found(349 - len(rows(dsn)), time.monotonic() - mended)


@pytest.mark.timeout(300)
async def test_a_record_at_which_native_code_crashes_is_found_over_the_deaths_of_the_process(
    broker: OwnBroker, tmp_path: Path, begin_fault: BeginFault
) -> None:
    run = begin_fault("SIGSEGV of a worker at one record")
    await produce(broker, [CRASHING if number == 40 else "ada" for number in range(100)])
    wanted = {f"e{number}" for number in range(100) if number != 40}
    log, found = tmp_path / "worker.log", tmp_path / "ids"
    process: asyncio.subprocess.Process | None = None
    began = time.monotonic()

    def seen() -> set[str]:
        return set(found.read_text().split()) if found.exists() else set()

    with log.open("ab") as output:
        command = [sys.executable, "-m", "tests.support.faults.crashing_role", str(found)]
        while seen() != wanted:
            assert time.monotonic() < began + 2 * DEADLINE_S, log.read_text()[-3_000:]
            if process is None or process.returncode is not None:
                if process is not None:
                    run.inflict("SIGSEGV")
                process = await asyncio.create_subprocess_exec(
                    *command, cwd=REPOSITORY, env=broker.environment(), stdout=output, stderr=output
                )
            await asyncio.sleep(0.1)
    assert process is not None
    process.terminate()
    assert await asyncio.wait_for(process.wait(), 60) == 0
    [letter] = await letters(broker)
    assert (letter.source_offset, letter.error_class) == (40, "ProcessDied")
    run.events = 100
    run.found(len(wanted ^ seen()), time.monotonic() - began)
