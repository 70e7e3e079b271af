"""Events of a test's own key in the shared log, and replays of them as commands and as processes."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import uuid4

import psycopg

from schemas.records import EngagementEvent, OperationRun, Record
from schemas.registries.registry import open_registry
from streams.engine.stage import Output
from streams.kafka.cluster import Cluster
from streams.kafka.producer import EventProducer
from streams.operations.runs import read_runs
from tests.conftest import REPOSITORY, Stack

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
TOPIC = "engagement.events"
TIMEOUT_S = 60.0


def events(persona: str, number: int) -> list[EngagementEvent]:
    """Return so many events of a persona, counts 1, 2, 3 and so on."""
    return [
        EngagementEvent(event_id=str(uuid4()), occurred_at=NOON, persona_id=persona, kind="view", count=count)
        for count in range(1, number + 1)
    ]


async def append(cluster: Cluster, topic: str, records: Sequence[Record]) -> int:
    """Append records; return the time before the first, epoch milliseconds."""
    since_ms = time.time_ns() // 1_000_000
    async with EventProducer(cluster, open_registry(None)) as producer:
        await producer.append_all([Output(topic, record) for record in records])
    return since_ms


def start(stack: Stack, dsn: str, *arguments: str, **settings: str) -> subprocess.Popen[str]:
    """Start `threads-agent replay` with arguments."""
    own = {"THREADS_POSTGRES_DSN": dsn, "THREADS_KAFKA": stack.bootstrap, **settings}
    return subprocess.Popen(
        [sys.executable, "-m", "streams.cli.main", "replay", *arguments],
        cwd=REPOSITORY,
        env={**os.environ, **stack.environment(), **own},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


async def ended(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    """Wait until a command has ended; return its status and what it said on stdout and stderr."""
    out, err = await asyncio.to_thread(process.communicate, timeout=TIMEOUT_S)
    return process.returncode, out, err


async def done(stack: Stack, dsn: str, *arguments: str, **settings: str) -> tuple[int, str, str]:
    """Run a replay to its end."""
    return await ended(start(stack, dsn, *arguments, **settings))


async def run_of(stack: Stack, key: str, target: str) -> OperationRun | None:
    """Return the newest step of the last run of a key into a target."""
    found = [
        run
        for run in (await read_runs(stack.cluster)).values()
        if run.operation == "replay" and run.target == target and key in run.selection
    ]
    return found[-1] if found else None


async def until_read(stack: Stack, key: str, target: str, records: int) -> None:
    """Wait until a run has told that it has read so many records."""

    deadline = time.monotonic() + TIMEOUT_S
    while True:
        run = await run_of(stack, key, target)
        if run is not None and run.status == "running" and run.read >= records:
            return
        assert time.monotonic() < deadline, f"no run has read {records} records of {key}"
        await asyncio.sleep(0.1)


def table_checksums(dsn: str) -> dict[str, tuple[int, str]]:
    """Return for every table its rows and a checksum of them, whatever order they lie in."""
    with psycopg.connect(dsn) as connection:
        names = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
        found = {}
        for (name,) in names:
            row = connection.execute(
                f"SELECT count(*), coalesce(sum(hashtextextended(t::text, 0)), 0)::text FROM {name} AS t"
            ).fetchone()
            assert row is not None
            found[name] = (int(row[0]), str(row[1]))
    return found
