"""Replays that are killed, interrupted, run twice at once, or lose their target: the same command ends them right."""

from __future__ import annotations

import asyncio
import signal
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest

from schemas.catalogue import topic_named
from schemas.codec.rows import RowCodec
from schemas.codec.wire_format import HEADER_BYTES, header
from schemas.registries.registry import open_registry
from streams.kafka.log_reader import read_range
from streams.operations.runs import read_runs
from tests.conftest import Stack
from tests.support.faults.fault_report import BeginFault, FaultRun
from tests.support.postgres_tables import own_database, query
from tests.support.record_batches import Given
from tests.support.record_batches import append as append_raw
from tests.support.replays import TOPIC, append, done, ended, events, run_of, start, until_read
from tests.support.small_disk import small_disk

EVENTS = 2_400
BIG = 80_000  # rows that take more room than a small disk has
RATE = "600"  # the whole takes four seconds
SLOWEST = "20"  # two minutes: another command begins meanwhile
UNKNOWN_SCHEMA = 999_999


@pytest.fixture
def dsn(stack: Stack) -> Iterator[str]:
    """A database of the test's own."""
    with own_database(stack.postgres_dsn) as own:
        yield own


@pytest.fixture
def persona() -> str:
    return f"replayed {uuid4().hex}"


async def broken_off_twice(stack: Stack, dsn: str, persona: str, target: str, fault: FaultRun) -> None:
    """Replay: interrupted by Ctrl-C, gone on with and killed, gone on with to its end."""
    since = await append(stack.cluster, TOPIC, events(persona, EVENTS))
    command = (TOPIC, "--persona", persona, "--since", str(since), "--into", target, "--rate", RATE)
    process = start(stack, dsn, *command)
    await until_read(stack, persona, target, 300)
    process.send_signal(signal.SIGINT)
    fault.inflict("Ctrl-C")
    status, _, said = await ended(process)
    assert status == 130
    assert "the same command goes on where it was" in said
    interrupted = await run_of(stack, persona, target)
    assert interrupted is not None
    assert interrupted.status == "cancelled"
    assert 300 <= interrupted.read < EVENTS

    process = start(stack, dsn, *command)
    await until_read(stack, persona, target, interrupted.read + 300)
    process.kill()
    fault.inflict("kill -9")
    await ended(process)
    killed = await run_of(stack, persona, target)
    assert killed is not None
    assert killed.run_id == interrupted.run_id
    assert killed.status == "running"

    status, out, said = await done(stack, dsn, *command[:-2])
    assert status == 0, said
    assert f"going on with run {killed.run_id}" in said
    assert f"{EVENTS:,} read, {EVENTS:,} written, 0 refused" in out
    run = await run_of(stack, persona, target)
    assert run is not None
    assert (run.run_id, run.status, run.read, run.written) == (killed.run_id, "done", EVENTS, EVENTS)
    assert all(each.next == each.end for each in run.positions)
    fault.events = EVENTS
    assert fault.found(abs(run.written - EVENTS), 0.0) == 0


@pytest.mark.timeout(120)
async def test_a_replay_into_postgres_that_is_interrupted_and_killed_ends_with_each_row_once(
    stack: Stack, dsn: str, persona: str, begin_fault: BeginFault
) -> None:
    fault = begin_fault("Ctrl-C and kill -9 of a replay into PostgreSQL")
    await broken_off_twice(stack, dsn, persona, "postgres", fault)
    wanted = (EVENTS, sum(range(1, EVENTS + 1)))
    assert query(dsn, "SELECT count(*), sum(count) FROM engagement") == [wanted]
    assert query(dsn, "SELECT sum(events), sum(count) FROM day_totals") == [wanted]


@pytest.mark.timeout(120)
async def test_a_replay_into_a_topic_that_is_interrupted_and_killed_ends_with_each_record_once(
    stack: Stack, dsn: str, persona: str, begin_fault: BeginFault
) -> None:
    fault = begin_fault("Ctrl-C and kill -9 of a replay into a topic")
    name = f"copies-{uuid4().hex}"
    await broken_off_twice(stack, dsn, persona, f"topic:{name}", fault)
    copies = [record async for _, records in read_range(stack.cluster, name) for record in records]
    sources = Counter(dict(record.headers)["replay-of"] for record in copies)
    assert len(sources) == EVENTS
    assert set(sources.values()) == {1}


@pytest.mark.timeout(120)
async def test_a_target_that_is_away_fails_the_run_with_one_line_and_the_run_goes_on_when_it_is_back(
    stack: Stack, persona: str, begin_fault: BeginFault
) -> None:
    fault = begin_fault("PostgreSQL away half-way of a replay")
    since = await append(stack.cluster, TOPIC, events(persona, EVENTS))
    with own_database(stack.postgres_dsn) as dsn:
        command = (TOPIC, "--persona", persona, "--since", str(since), "--into", "postgres")
        process = start(stack, dsn, *command, "--rate", RATE, THREADS_IO_TIMEOUT_S="2")
        await until_read(stack, persona, "postgres", 300)
        let_in(stack, dsn, let=False)
        fault.inflict("away")
        status, _, said = await ended(process)
        assert status == 2
        assert "could not" in said.splitlines()[-1]
        failed = await run_of(stack, persona, "postgres")
        assert failed is not None
        assert failed.status == "failed"
        assert "PostgreSQL" in (failed.reason or "")
        assert 300 <= failed.read < EVENTS
        let_in(stack, dsn, let=True)
        status, out, said = await done(stack, dsn, "--resume", failed.run_id)
        assert status == 0, said
        assert f"{EVENTS:,} read, {EVENTS:,} written" in out
        [(rows,)] = query(dsn, "SELECT count(*) FROM engagement")
        fault.events = EVENTS
        assert fault.found(abs(rows - EVENTS), 0.0) == 0


@pytest.mark.timeout(180)
async def test_a_disk_that_fills_fails_the_run_with_one_line_and_the_run_goes_on_when_there_is_room(
    stack: Stack, persona: str, begin_fault: BeginFault
) -> None:
    fault = begin_fault("disk of PostgreSQL full half-way of a replay")
    since = await append(stack.cluster, TOPIC, events(persona, BIG))
    with (
        tempfile.TemporaryDirectory(dir="/tmp") as folder,
        small_disk(stack.postgres_dsn, stack.home / "postgres" / "data", Path(folder) / "disk", 12) as disk,
        own_database(stack.postgres_dsn, disk.tablespace) as dsn,
    ):
        command = (TOPIC, "--persona", persona, "--since", str(since), "--into", "postgres")
        status, _, said = await done(stack, dsn, *command, THREADS_IO_TIMEOUT_S="2")
        fault.inflict("full")
        assert status == 2
        assert "No space left on device" in said.splitlines()[-1]
        failed = await run_of(stack, persona, "postgres")
        assert failed is not None
        assert failed.status == "failed"
        disk.grow(200)
        status, _, said = await done(stack, dsn, "--resume", failed.run_id)
        assert status == 0, said
        [(rows,)] = query(dsn, "SELECT count(*) FROM engagement")
        fault.events = BIG
        assert fault.found(abs(rows - BIG), 0.0) == 0


def let_in(stack: Stack, dsn: str, *, let: bool) -> None:
    """Let the database take connections, or end those there are and take none."""
    name = psycopg.conninfo.conninfo_to_dict(dsn)["dbname"]
    with psycopg.connect(stack.postgres_dsn, autocommit=True) as connection:
        connection.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS {let}")
        if not let:
            connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (name,))


@pytest.mark.timeout(120)
async def test_a_second_replay_of_the_same_is_refused_while_the_first_is_under_way(
    stack: Stack, dsn: str, persona: str, begin_fault: BeginFault
) -> None:
    fault = begin_fault("two replays of the same at once")
    since = await append(stack.cluster, TOPIC, events(persona, EVENTS))
    name = f"copies-{uuid4().hex}"
    command = (TOPIC, "--persona", persona, "--since", str(since))
    first = [start(stack, dsn, *command, "--into", into, "--rate", SLOWEST) for into in ("postgres", f"topic:{name}")]
    await until_read(stack, persona, "postgres", 0)
    await until_read(stack, persona, f"topic:{name}", 0)
    second = [start(stack, dsn, *command, "--into", into) for into in ("postgres", f"topic:{name}")]
    other = start(stack, dsn, TOPIC, "--key", persona, "--last", "100", "--into", "postgres")
    for process in second:
        status, _, said = await ended(process)
        assert status == 2
        assert "is under way" in said.splitlines()[-1]
    status, _, said = await ended(other)
    assert status == 0, said
    for process, into in zip(first, ("postgres", f"topic:{name}"), strict=True):
        process.send_signal(signal.SIGINT)
        assert (await ended(process))[0] == 130
        status, _, said = await done(stack, dsn, *command, "--into", into)
        assert status == 0, said
    assert query(dsn, "SELECT count(*), sum(count) FROM engagement") == [(EVENTS, sum(range(1, EVENTS + 1)))]
    copies = [record async for _, records in read_range(stack.cluster, name) for record in records]
    assert len({record.key for record in copies}) == 1
    fault.events = EVENTS
    fault.inflict("second")
    assert fault.found(abs(len(copies) - EVENTS), 0.0) == 0


@pytest.mark.timeout(120)
async def test_two_replays_that_begin_in_the_same_moment_leave_each_row_once(
    stack: Stack, dsn: str, persona: str
) -> None:
    since = await append(stack.cluster, TOPIC, events(persona, 500))
    command = (TOPIC, "--persona", persona, "--since", str(since), "--into", "postgres")
    both = await asyncio.gather(*(done(stack, dsn, *command) for _ in range(2)))
    assert all(status == 0 or "is under way" in said for status, _, said in both)
    assert any(status == 0 for status, _, _ in both)
    assert query(dsn, "SELECT count(*), sum(events) FROM engagement, day_totals") == [(500, 500 * 500)]


@pytest.mark.timeout(120)
async def test_records_of_a_schema_that_the_registry_lost_are_counted_as_refused(
    stack: Stack, dsn: str, persona: str
) -> None:
    codec, topic = RowCodec(open_registry(None)), topic_named(TOPIC)
    good = [codec.encode(topic, each) for each in events(persona, 3)]
    lost = [header(UNKNOWN_SCHEMA) + value[HEADER_BYTES:] for value in good]
    given = [Given(persona.encode(), value) for value in (*good, *lost)]
    await append_raw(stack.bootstrap, TOPIC, 0, given)
    status, out, said = await done(stack, dsn, TOPIC, "--persona", persona, "--partition", "0", "--into", "postgres")
    assert status == 0
    assert f"got id {UNKNOWN_SCHEMA}" in said
    assert "3 written, 3 refused" in out
    assert query(dsn, "SELECT count(*) FROM engagement") == [(3,)]
    run = next(reversed((await read_runs(stack.cluster)).values()))
    assert run.refused == 3
