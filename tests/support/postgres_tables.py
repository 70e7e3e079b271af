"""A database of a test's own, and the tables that the Postgres sink writes in it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

import psycopg
from psycopg.conninfo import make_conninfo

from sinks.postgres.sink import PostgresSink
from streams.engine.batch import Batch
from tests.support.stage_driver import DrivenStage

SINK_TIMEOUT_S = 20


@contextmanager
def own_database(server_dsn: str, tablespace: str = "pg_default") -> Iterator[str]:
    """Make an empty database of a server, and drop it at the end."""
    name = f"test_{uuid4().hex}"
    with psycopg.connect(server_dsn, autocommit=True) as server:
        server.execute(f"CREATE DATABASE {name} TABLESPACE {tablespace}".encode())
        try:
            yield make_conninfo(server_dsn, dbname=name)
        finally:
            server.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


async def write(dsn: str, batches: Sequence[Batch], flush_every: int = 1) -> None:
    """Write batches of which nothing is refused; without any the tables are there and empty."""
    sink = DrivenStage(PostgresSink(dsn, SINK_TIMEOUT_S))
    await sink.open()
    try:
        for number, batch in enumerate(batches, 1):
            assert list(await sink.add(batch)) == []
            if number % flush_every == 0:
                await sink.flush()
        await sink.flush()
    finally:
        await sink.close()


def load(dsn: str, *batches: Batch) -> None:
    """Write batches where no event loop runs."""
    asyncio.run(write(dsn, batches))


def query(dsn: str, statement: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(dsn) as connection:
        return connection.execute(statement.encode()).fetchall()
