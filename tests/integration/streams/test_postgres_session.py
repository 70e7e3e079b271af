"""A PostgreSQL session: nobody waits without end for a server that hangs, and a lost connection is made anew."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from pathlib import Path

import psycopg
import pytest
from psycopg import AsyncConnection
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from pydantic import SecretStr

from agents.caching.postgres_cache import PostgresCache
from agents.gateway.database import Database
from agents.generation.past_posts import BestPosts
from sinks.postgres.sink import PostgresSink
from sinks.reports.queries import report
from streams.errors import Unavailable
from streams.postgres_session import PostgresSession
from streams.settings import Settings
from tests.conftest import Stack
from tests.support.llm_questions import question
from tests.support.postgres_tables import write
from tests.support.sink_batches import engagement

TIMEOUT_S = 1.0


async def pass_on(source: asyncio.StreamReader, target: asyncio.StreamWriter, up_to: bytes | None = None) -> None:
    """Hand bytes on until the end, or until some contain a word: these and what comes after them get lost."""
    while data := await source.read(65_536):
        if up_to is not None and up_to in data:
            return
        target.write(data)


@asynccontextmanager
async def hanging_at(word: bytes, dsn: str) -> AsyncIterator[str]:
    """Give a DSN whose server falls silent, with the connection open, when a client says a word."""
    ends: list[asyncio.StreamWriter] = []
    relays: list[asyncio.Task[None]] = []
    server_at = conninfo_to_dict(dsn)

    async def relay(client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        server, to_server = await asyncio.open_connection(str(server_at["host"]), int(server_at["port"] or 0))
        ends.extend((to_client, to_server))
        await asyncio.gather(pass_on(client, to_server, word), pass_on(server, to_client))

    def accept(client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        relays.append(asyncio.create_task(relay(client, to_client)))

    listening = await asyncio.start_server(accept, "127.0.0.1", 0)
    try:
        yield make_conninfo(dsn, host="127.0.0.1", port=listening.sockets[0].getsockname()[1], sslmode="disable")
    finally:
        listening.close()
        for end in ends:
            end.close()
        await asyncio.gather(*relays, return_exceptions=True)


async def seconds_until(failing: Awaitable[object], error: type[Exception]) -> float:
    started = time.monotonic()
    with pytest.raises(error):
        await failing
    return time.monotonic() - started


async def asked(session: PostgresSession, statement: bytes = b"SELECT 1") -> object:
    async with session.transaction() as connection:
        return await (await connection.execute(statement)).fetchone()


@pytest.mark.parametrize("word", [b"BEGIN", b"COMMIT"])
async def test_nobody_waits_long_for_a_server_that_hangs(dsn: str, word: bytes, tmp_path: Path) -> None:
    await write(dsn, [engagement(0, ["earlier"])])
    async with hanging_at(word, dsn) as hanging:
        settings = Settings(home=tmp_path, postgres_dsn=SecretStr(hanging), io_timeout_s=TIMEOUT_S)
        session, sink = PostgresSession(hanging, TIMEOUT_S), PostgresSink(hanging, TIMEOUT_S)
        cache, best = PostgresCache(hanging, 100_000, 60.0), BestPosts(hanging)
        gateway = Database(settings, TIMEOUT_S)
        started = time.monotonic()
        found, texts, *seconds = await asyncio.gather(
            cache.get(question()),
            best.of("nova"),
            seconds_until(asked(session), psycopg.OperationalError),
            seconds_until(asyncio.to_thread(report, settings, "kpis", {"personas": None, "window": None}), Unavailable),
            seconds_until(sink.write([engagement(0, ["event"])]), Unavailable),
            seconds_until(gateway.rows("kpis", {"personas": None, "window": None}), Unavailable),
        )
        assert (found, texts) == (None, ())
        assert max(seconds) < 5 * TIMEOUT_S
        assert time.monotonic() - started < 10
        for each in (cache, best, session, sink):
            await each.close()
        await gateway.__aexit__(None, None, None)


async def test_a_session_connects_when_it_is_used_and_again_when_its_connection_was_lost(stack: Stack) -> None:
    prepared: list[int] = []

    async def prepare(connection: AsyncConnection) -> None:
        prepared.append(connection.info.backend_pid)

    session = PostgresSession(stack.postgres_dsn, TIMEOUT_S, prepare=prepare)
    assert not prepared
    assert await asked(session) == (1,)
    assert await asked(session) == (1,)
    with pytest.raises(psycopg.OperationalError):
        await asked(session, b"SELECT pg_terminate_backend(pg_backend_pid())")
    assert await asked(session) == (1,)
    with pytest.raises(psycopg.errors.UndefinedTable):
        await asked(session, b"SELECT * FROM nowhere")
    assert await asked(session) == (1,)
    assert len(set(prepared)) == len(prepared) == 3
    await session.close()
    assert await asked(session) == (1,)
    await session.close()


async def test_a_slow_statement_is_ended_by_the_server_and_says_so(stack: Stack) -> None:
    session = PostgresSession(stack.postgres_dsn, 0.2)
    with pytest.raises(psycopg.errors.QueryCanceled, match="statement timeout"):
        await asked(session, b"SELECT pg_sleep(60)")
    await session.close()


async def test_a_session_whose_task_is_cancelled_is_usable_by_the_next(stack: Stack) -> None:
    session = PostgresSession(stack.postgres_dsn, 20.0)
    assert await asked(session) == (1,)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(asked(session, b"SELECT pg_sleep(60)"), 0.2)
    assert await asked(session) == (1,)
    await session.close()


async def test_a_transaction_that_only_reads_writes_nothing(stack: Stack) -> None:
    session = PostgresSession(stack.postgres_dsn, TIMEOUT_S)
    with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        async with session.transaction(read_only=True) as connection:
            await connection.execute(b"CREATE TABLE written (id int)")
    await session.close()
