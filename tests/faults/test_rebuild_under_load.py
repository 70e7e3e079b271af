"""`rebuild postgres --switch` while a sink writes, killed again and again: the live rows are exact all the time."""

from __future__ import annotations

import asyncio
import random
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from schemas.records import EngagementEvent
from tests.conftest import REPOSITORY, Stack
from tests.faults.conftest import SpawnWorker
from tests.support.faults.consumer_group import ConsumerGroup
from tests.support.faults.engagement_load import Load, load, produced_during
from tests.support.faults.fault_report import BeginFault
from tests.support.postgres_tables import own_database

TOPIC = "engagement.events"
ROLE = "sink-postgres"
EVENTS = 8_000
DEADLINE_S = 90.0
KILLED_AT = ("building rebuild_1", "is caught up")
"""What a rebuild says before it is killed, or a moment later."""


class Rebuilds:
    """The command as processes of a database."""

    def __init__(self, stack: Stack, dsn: str, home: Path) -> None:
        self.dsn = dsn
        self._environment = stack.environment() | {
            "THREADS_HOME": str(home),
            "THREADS_KAFKA": stack.bootstrap,
            "THREADS_POSTGRES_DSN": dsn,
        }

    async def start(self, *arguments: str) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "streams.cli.main", "rebuild", "postgres", *arguments),
            cwd=REPOSITORY,
            env=self._environment,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )

    async def done(self, *arguments: str) -> str:
        """Run it to its end, and return what it said on stderr."""
        process = await self.start(*arguments)
        async with asyncio.timeout(DEADLINE_S):
            output, said = await process.communicate()
        assert process.returncode == 0, (output + said).decode()
        return said.decode()

    async def killed(self, at: str, later_s: float) -> None:
        """End it as a power cut would, some time after it said something."""
        process = await self.start("--switch", "--leave-behind")
        assert process.stderr is not None
        async with asyncio.timeout(DEADLINE_S):
            while at.encode() not in (line := await process.stderr.readline()):
                assert line, f"ended before it said {at!r}"
        await asyncio.sleep(later_s)
        if process.returncode is None:
            process.kill()
        await process.communicate()


@pytest.fixture
def rebuilds(stack: Stack, tmp_path: Path) -> Iterator[Rebuilds]:
    """Rebuilds of a database of the test's own."""
    with own_database(stack.postgres_dsn) as dsn:
        yield Rebuilds(stack, dsn, tmp_path)


def rows_of(dsn: str, table: str, load_: Load) -> Counter[tuple[object, ...]]:
    personas = sorted({event.persona_id for event in load_.events})
    statement = f"SELECT event_id, persona_id, kind, count FROM {table} WHERE persona_id = ANY(%s)"
    with psycopg.connect(dsn) as connection:
        return Counter(connection.execute(statement.encode(), (personas,)).fetchall())


def expected_rows(load_: Load) -> Counter[tuple[object, ...]]:
    once: dict[str, EngagementEvent] = {event.event_id: event for event in load_.events}
    return Counter((each.event_id, each.persona_id, each.kind, each.count) for each in once.values())


def day_totals_are_of_the_rows(dsn: str) -> bool:
    with psycopg.connect(dsn) as connection:
        wrong = connection.execute(
            b"SELECT count(*) FROM (SELECT persona_id, kind, sum(count) AS count, sum(events) AS events FROM day_totals"
            b" GROUP BY 1, 2 EXCEPT SELECT persona_id, kind, sum(count), count(*) FROM engagement GROUP BY 1, 2) AS w"
        ).fetchone()
    return wrong == (0,)


@pytest.mark.timeout(300)
async def test_a_rebuild_that_is_killed_and_one_that_switches_lose_no_row_of_a_sink_at_work(
    stack: Stack, rebuilds: Rebuilds, spawn_worker: SpawnWorker, begin_fault: BeginFault
) -> None:
    run, dsn = begin_fault("kill -9 of a rebuild, and its switch under a sink's load"), rebuilds.dsn
    load_, random_ = load(run.seed, EVENTS), random.Random(run.seed)
    group = ConsumerGroup(stack.cluster, ROLE)
    worker = spawn_worker(ROLE, slot="rebuild", THREADS_POSTGRES_DSN=dsn)
    await group.until_members(1, worker.log)

    async def rebuild() -> None:
        seen = 0
        for at in KILLED_AT:
            await rebuilds.killed(at, random_.random())
            run.inflict("kill -9 of the rebuild")
            now = rows_of(dsn, "engagement", load_).total()  # of the old version, or of the new one: whole
            assert now >= seen
            seen = now
        said = await rebuilds.done("--switch", "--leave-behind")  # rows of other tests, whose schemas are gone
        run.inflict("switch")
        assert "rebuild_" in said

    await produced_during(stack, load_, rebuild())
    ended_at = time.monotonic()
    await group.until_done((TOPIC,), worker.log)
    settled_s = time.monotonic() - ended_at
    assert worker.process.poll() is None
    rows, expected = rows_of(dsn, "engagement", load_), expected_rows(load_)
    run.events = len(load_.events)
    run.found((rows - expected).total() + (expected - rows).total(), settled_s)
    assert rows == expected
    assert day_totals_are_of_the_rows(dsn)
    with psycopg.connect(dsn) as connection:
        found = connection.execute(b"SELECT nspname FROM pg_namespace WHERE nspname ~ '^(rebuild|before)_'").fetchall()
    assert found, "the old version is kept"
    assert all(name.startswith("before_") for (name,) in found)
