"""PostgreSQL killed under load: the worker of the sink waits and lags, and every row arrives once."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from schemas.records import EngagementEvent
from streams.embedded.ports import free_port
from streams.embedded.postgres import PostgresServer
from streams.embedded.server import run_server
from tests.faults.conftest import WorkerProcess
from tests.support.faults.consumer_group import ConsumerGroup
from tests.support.faults.engagement_load import Load, load, produced
from tests.support.faults.fault_report import BeginFault
from tests.support.faults.own_broker import OwnBroker, own_broker

TOPIC = "engagement.events"
ROLE = "sink-postgres"
DEADLINE_S = 40.0


class Database:
    """A PostgreSQL server that can be killed and started again."""

    def __init__(self, folder: Path) -> None:
        self.server = PostgresServer(folder / "postgres", free_port())
        self._logs = folder / "logs"
        self.start()

    def start(self) -> None:
        self._process = run_server(self.server, self._logs)

    def kill(self) -> None:
        """End it as a power cut would."""
        self._process.kill()
        self._process.wait(timeout=30)

    def rows(self, query: str) -> list[tuple[object, ...]]:
        with psycopg.connect(self.server.dsn) as connection:
            return connection.execute(query.encode()).fetchall()


@pytest.fixture
def broker() -> Iterator[OwnBroker]:
    with own_broker() as made:
        yield made


@pytest.fixture
def database() -> Iterator[Database]:
    with tempfile.TemporaryDirectory(prefix="postgres under load ", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o755)  # as root PostgreSQL runs as nobody, who must be able to enter
        made = Database(folder)
        yield made
        made.kill()


def expected_rows(load_: Load) -> Counter[tuple[object, ...]]:
    once: dict[str, EngagementEvent] = {event.event_id: event for event in load_.events}
    return Counter((each.event_id, each.persona_id, each.kind, each.count) for each in once.values())


async def until_waiting(worker: WorkerProcess) -> None:
    """Wait until the worker says that it waits for its surroundings."""
    async with asyncio.timeout(DEADLINE_S):
        while True:
            if "is unavailable, waiting; nothing is lost" in worker.log():
                return
            await asyncio.sleep(0.1)


@pytest.mark.timeout(150)
async def test_a_database_that_is_away_is_waited_for_and_nothing_is_lost(
    broker: OwnBroker, database: Database, tmp_path: Path, seed: int, begin_fault: BeginFault
) -> None:
    run = begin_fault("kill -9 of PostgreSQL, started again")
    load_ = load(seed, 20_000)
    group = ConsumerGroup(broker.cluster, ROLE)
    environment = {"THREADS_POSTGRES_DSN": database.server.dsn, "THREADS_IO_TIMEOUT_S": "5"}
    worker = WorkerProcess(broker, (ROLE,), "0", tmp_path / "worker.log", **environment)
    try:
        await group.until_members(1, worker.log)
        half = len(load_.events) // 2
        async for sent in produced(broker, load_):
            if half - 1_000 < sent <= half:
                database.kill()
                run.inflict("kill -9 of PostgreSQL")
        await until_waiting(worker)
        committed, ends = await group.committed(), await group.ends(TOPIC)
        assert any(committed.get(source, 0) < end for source, end in ends.items()), "expected lag while it is away"
        database.start()
        back_at = time.monotonic()
        await group.until_done((TOPIC,), worker.log)
        settled_s = time.monotonic() - back_at
        assert worker.process.poll() is None
        assert await group.ends("dead.letters") == {}
        rows = Counter(database.rows("SELECT event_id, persona_id, kind, count FROM engagement"))
        expected = expected_rows(load_)
        run.events = len(load_.events)
        run.found((rows - expected).total() + (expected - rows).total(), settled_s)
        assert rows == expected
    finally:
        worker.stop()
