"""The Postgres sink when the server dies, hangs or is not there: `Unavailable`, then success, and nothing lost."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl
import psycopg
import pytest

from sinks.postgres.sink import PostgresSink
from streams.embedded.ports import free_port
from streams.embedded.postgres import PostgresServer
from streams.embedded.process import stop
from streams.embedded.server import run_server
from streams.engine.batch import ColumnBatch, TopicPartition
from streams.errors import Unavailable
from tests.support.stage_driver import DrivenStage

DEADLINE_S = 30.0
RECORDS = 150_000


class Machine:
    """A PostgreSQL server that is killed, hung and started again."""

    def __init__(self, folder: Path) -> None:
        self.server = PostgresServer(folder / "postgres", free_port())
        self._logs = folder / "logs"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self.process = run_server(self.server, self._logs)

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait(DEADLINE_S)

    def stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            stop(self.process, signal.SIGQUIT)


@pytest.fixture
def machine() -> Iterator[Machine]:
    with tempfile.TemporaryDirectory(prefix="postgres outage ", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o755)
        machine = Machine(folder)
        machine.start()
        yield machine
        machine.stop()


def engagement(records: int) -> ColumnBatch:
    frame = pl.DataFrame({"offset": np.arange(records), "count": np.ones(records, dtype=np.int64)}).with_columns(
        event_id=pl.format("event-{}", "offset"),
        occurred_at=pl.lit(1_772_366_400_000),
        persona_id=pl.lit("nova"),
        causation_id=pl.lit(None, pl.String),
        post_id=pl.lit("post"),
        kind=pl.lit("view"),
        source=pl.lit("test"),
        simulated=pl.lit(value=False),
        basis=pl.lit("event"),
        backfilled=pl.lit(value=False),
    )
    return ColumnBatch(TopicPartition("engagement.events", 0), frame)


def count(dsn: str) -> int:
    with psycopg.connect(dsn) as connection:
        row = connection.execute("SELECT count(*) FROM engagement").fetchone()
    assert row is not None
    return int(row[0])


async def backend_at_work(dsn: str) -> int:
    """Wait until the sink's backend copies or inserts; return its pid."""
    busy = "SELECT pid FROM pg_stat_activity WHERE state = 'active' AND query ~ '^(COPY|INSERT INTO|--.*INSERT INTO)'"
    row = None
    async with asyncio.timeout(DEADLINE_S), await psycopg.AsyncConnection.connect(dsn, autocommit=True) as connection:
        while row is None:
            row = await (await connection.execute(busy)).fetchone()
    return int(row[0])


async def test_a_server_killed_in_the_middle_of_a_flush_costs_nothing(machine: Machine) -> None:
    sink = DrivenStage(PostgresSink(machine.server.dsn, 20))
    await sink.open()
    await sink.add(engagement(RECORDS))
    flush = asyncio.create_task(sink.flush())
    await backend_at_work(machine.server.dsn)
    machine.kill()
    with pytest.raises(Unavailable, match="write 50000 rows of engagement"):
        await flush
    with pytest.raises(Unavailable, match="connect to PostgreSQL"):
        await sink.flush()
    machine.start()
    await sink.flush()
    await sink.close()
    assert count(machine.server.dsn) == RECORDS


async def test_a_backend_that_hangs_is_cut_off_in_time(machine: Machine) -> None:
    sink = DrivenStage(PostgresSink(machine.server.dsn, 2))
    await sink.open()
    await sink.add(engagement(RECORDS))
    flush = asyncio.create_task(sink.flush())
    backend = await backend_at_work(machine.server.dsn)
    os.kill(backend, signal.SIGSTOP)
    with pytest.raises(Unavailable, match="write 50000 rows of engagement"):
        await asyncio.wait_for(flush, DEADLINE_S)
    os.kill(backend, signal.SIGCONT)
    await sink.flush()
    await sink.close()
    assert count(machine.server.dsn) == RECORDS


async def test_a_sink_that_starts_before_its_server_goes_on_when_it_is_there(machine: Machine) -> None:
    dsn = machine.server.dsn
    machine.kill()
    sink = DrivenStage(PostgresSink(dsn, 20))
    await sink.open()
    await sink.add(engagement(10))
    with pytest.raises(Unavailable) as refused:
        await sink.flush()
    assert machine.server._password() not in str(refused.value)
    machine.start()
    await sink.flush()
    await sink.close()
    assert count(dsn) == 10


async def test_a_standby_is_away_until_it_is_promoted(machine: Machine) -> None:
    dsn = machine.server.dsn
    sink = DrivenStage(PostgresSink(dsn, 20))
    await sink.open()
    machine.stop()
    (machine.server._cluster_folder() / "data" / "standby.signal").touch()
    machine.start()
    await sink.add(engagement(10))
    with pytest.raises(Unavailable):  # of the connection to the server that it was
        await sink.flush()
    with pytest.raises(Unavailable, match=r"begin a transaction in PostgreSQL: .*recovery"):
        await sink.flush()
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("SELECT pg_promote()")
    await sink.flush()
    await sink.close()
    assert count(dsn) == 10
