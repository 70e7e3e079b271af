"""One contract for every response cache, and what a PostgreSQL that is away does to calls: nothing."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from agents.caching.postgres_cache import LEFT_ALONE_S, PostgresCache
from agents.caching.response_cache import MemoryCache, ResponseCache
from streams.embedded.ports import free_port
from tests.support.llm_questions import question, reply

if TYPE_CHECKING:
    from tests.conftest import Stack

MAX_BYTES = 100_000


@pytest.fixture(params=["memory", "postgres"])
async def cache(request: pytest.FixtureRequest, stack: Stack) -> AsyncIterator[ResponseCache]:
    made: ResponseCache
    if request.param == "memory":
        made = MemoryCache(MAX_BYTES, 60.0, clock=time.monotonic)
    else:
        drop(stack.postgres_dsn)
        made = PostgresCache(stack.postgres_dsn, MAX_BYTES, 60.0)
    yield made
    await made.close()


def drop(dsn: str) -> None:
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("DROP SCHEMA IF EXISTS llm_cache CASCADE")


@asynccontextmanager
async def postgres_cache(dsn: str, max_bytes: int = MAX_BYTES, ttl_s: float = 60.0) -> AsyncIterator[PostgresCache]:
    cache = PostgresCache(dsn, max_bytes, ttl_s)
    try:
        yield cache
    finally:
        await cache.close()


async def test_a_kept_answer_comes_back_whole(cache: ResponseCache) -> None:
    assert await cache.get(question()) is None
    await cache.put(question(), reply())
    assert await cache.get(question()) == reply()


async def test_an_answer_is_given_to_its_own_question_only(cache: ResponseCache) -> None:
    await cache.put(question(), reply())
    assert await cache.get(question(variation="0/1")) is None
    assert await cache.get(question(persona_version="v2")) is None


async def test_a_newer_answer_takes_the_place_of_the_older(cache: ResponseCache) -> None:
    await cache.put(question(), reply("old"))
    await cache.put(question(), reply("new"))
    assert await cache.get(question()) == reply("new")


async def test_answers_that_are_not_whole_are_not_kept(cache: ResponseCache) -> None:
    for bad in (reply(""), reply(cut_off=True), reply(refusal="I can't help with that.")):
        await cache.put(question(), bad)
    assert await cache.get(question()) is None


async def test_any_text_a_model_may_write_comes_back_as_it_was(cache: ResponseCache) -> None:
    odd = reply('nul \x00, quote ", emoji 🥖, lone surrogate \ud83e, new\nline')
    await cache.put(question(), odd)
    assert await cache.get(question()) == odd


async def test_many_ask_at_the_same_time(cache: ResponseCache) -> None:
    await asyncio.gather(*[cache.put(question(str(number)), reply(str(number))) for number in range(30)])
    found = await asyncio.gather(*[cache.get(question(str(number))) for number in range(30)])
    assert [each.text if each else None for each in found] == [str(number) for number in range(30)]


async def test_a_cache_is_usable_after_a_cancelled_question(cache: ResponseCache) -> None:
    await cache.put(question(), reply())
    asking = asyncio.create_task(cache.get(question()))
    await asyncio.sleep(0)
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)
    assert await cache.get(question()) == reply()


async def test_workers_that_start_together_share_what_they_keep(stack: Stack) -> None:
    drop(stack.postgres_dsn)
    async with postgres_cache(stack.postgres_dsn) as one, postgres_cache(stack.postgres_dsn) as two:
        await asyncio.gather(one.put(question("a"), reply("a")), two.put(question("b"), reply("b")))
        assert await two.get(question("a")) == reply("a")
        assert await one.get(question("b")) == reply("b")


async def test_old_answers_are_not_used_and_a_sweep_deletes_them(stack: Stack) -> None:
    drop(stack.postgres_dsn)
    async with postgres_cache(stack.postgres_dsn, ttl_s=3_600) as cache:
        await cache.put(question("old"), reply())
        with psycopg.connect(stack.postgres_dsn, autocommit=True) as connection:
            connection.execute("UPDATE llm_cache.replies SET kept_at = now() - interval '2 hours'")
            assert await cache.get(question("old")) is None
            await cache.sweep()
            assert connection.execute("SELECT count(*) FROM llm_cache.replies").fetchone() == (0,)


async def test_a_sweep_leaves_the_newest_answers_that_fit(stack: Stack) -> None:
    drop(stack.postgres_dsn)
    async with postgres_cache(stack.postgres_dsn, max_bytes=3_000) as cache:
        for number in range(10):
            await cache.put(question(str(number)), reply("x" * 800))
        await cache.sweep()
        kept = [number for number in range(10) if await cache.get(question(str(number))) is not None]
    assert kept in ([8, 9], [7, 8, 9])


async def test_a_server_that_is_away_is_told_once_and_costs_no_answer(
    stack: Stack, caplog: pytest.LogCaptureFixture
) -> None:
    now, port = 0.0, free_port()
    nowhere = make_conninfo(stack.postgres_dsn, host="127.0.0.1", port=port)
    cache = PostgresCache(nowhere, MAX_BYTES, 60.0, clock=lambda: now)
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            assert await cache.get(question()) is None
            await cache.put(question(), reply())
            now += LEFT_ALONE_S
    assert [record.name for record in caplog.records] == ["agents.caching.postgres_cache"]
    await cache.close()


async def test_a_lost_connection_is_made_anew(stack: Stack, caplog: pytest.LogCaptureFixture) -> None:
    drop(stack.postgres_dsn)
    now = 0.0
    cache = PostgresCache(stack.postgres_dsn, MAX_BYTES, 60.0, clock=lambda: now)
    await cache.put(question(), reply())
    with psycopg.connect(stack.postgres_dsn, autocommit=True) as connection, caplog.at_level(logging.WARNING):
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE '%llm cache'"
        )
        assert await cache.get(question()) is None
        now = LEFT_ALONE_S
        assert await cache.get(question()) == reply()
    assert len(caplog.records) == 2
    await cache.close()


async def test_a_server_that_accepts_and_says_nothing_holds_up_one_question_only() -> None:
    held: list[asyncio.StreamWriter] = []

    async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        held.append(writer)

    server = await asyncio.start_server(say_nothing, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    cache = PostgresCache(f"host=127.0.0.1 port={port} user=u dbname=d sslmode=disable", MAX_BYTES, 60.0)
    started = time.monotonic()
    assert await asyncio.gather(*[cache.get(question(str(number))) for number in range(20)]) == [None] * 20
    assert time.monotonic() - started < 15
    await cache.close()
    server.close()
    for writer in held:
        writer.close()
        await writer.wait_closed()
