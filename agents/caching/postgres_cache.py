"""The response cache in PostgreSQL: shared by all workers, in a schema of its own that is made where it is missing."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import socket
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from typing import TypeVar

import psycopg
from psycopg import AsyncConnection

from agents.caching.response_cache import Question, worth_keeping
from agents.llm.answers.reply import Reply, Usage
from streams.postgres_session import startup, transaction
from streams.sql_file import read_statements

Found = TypeVar("Found")

logger = logging.getLogger(__name__)

CONNECT_TIMEOUT_S = 3
STATEMENT_TIMEOUT_S = 2.0
LEFT_ALONE_S = 10.0  # for so long a server that failed is not asked: a cache must not cost more time than it saves
SWEEP_PUTS = 500

_SQL = read_statements("agents.caching", "postgres_cache.sql")
_CREATE = ("lock", "create_schema", "create_replies", "create_index")


class PostgresCache:
    """Keeps answers for `ttl_s` seconds; of more than about `max_bytes` the oldest go, with every 500th that comes.

    A server that fails or is slow is told once in the log and left alone for a while; meanwhile nothing is found.
    """

    def __init__(self, dsn: str, max_bytes: int, ttl_s: float, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._dsn = dsn
        self._max_bytes = max_bytes
        self._ttl_s = ttl_s
        self._clock = clock
        self._lock = asyncio.Lock()
        self._connection: AsyncConnection | None = None
        self._away_until: float | None = None
        self._puts = 0

    async def get(self, question: Question) -> Reply | None:
        """Return the answer; None also while the server is away."""

        async def look_up(connection: AsyncConnection) -> Reply | None:
            cursor = await connection.execute(_SQL["get"], {"key": question.key, "ttl_s": self._ttl_s})
            row = await cursor.fetchone()
            return _reply(row[0]) if row is not None else None

        return await self._in_transaction(look_up)

    async def put(self, question: Question, reply: Reply) -> None:
        """Keep an answer; nothing while the server is away."""
        if not worth_keeping(reply):
            return
        kept = json.dumps(asdict(reply)).encode()

        async def keep(connection: AsyncConnection) -> None:
            await connection.execute(_SQL["put"], {"key": question.key, "reply": kept})
            self._puts += 1
            if self._puts % SWEEP_PUTS == 0:
                await self._sweep(connection)

        await self._in_transaction(keep)

    async def sweep(self) -> None:
        """Delete what is too old, and the oldest of what is too much."""
        await self._in_transaction(self._sweep)

    async def _sweep(self, connection: AsyncConnection) -> None:
        await connection.execute(_SQL["sweep"], {"ttl_s": self._ttl_s, "max_bytes": self._max_bytes})

    async def close(self) -> None:
        """Close the connection."""
        async with self._lock:
            await self._disconnect()

    async def _in_transaction(self, work: Callable[[AsyncConnection], Awaitable[Found]]) -> Found | None:
        """Do the work, one at a time; None while the server is left alone. The server's faults end here."""
        async with self._lock:
            if self._away_until is not None and self._clock() < self._away_until:
                return None
            try:
                connection = self._connection = self._connection or await self._connect()
                with _cut_after(connection, STATEMENT_TIMEOUT_S):
                    async with transaction(connection, STATEMENT_TIMEOUT_S):
                        found = await work(connection)
            except (psycopg.Error, OSError) as error:
                await self._disconnect()
                self._leave_alone(error)
                return None
            except BaseException:  # cancelled within an exchange: what comes next on this connection is not known
                await self._disconnect()
                raise
            self._is_back()
            return found

    async def _connect(self) -> AsyncConnection:
        connection = await AsyncConnection.connect(
            self._dsn, connect_timeout=CONNECT_TIMEOUT_S, **startup("threads-agent-stack llm cache")
        )
        try:
            with _cut_after(connection, STATEMENT_TIMEOUT_S):
                async with transaction(connection, STATEMENT_TIMEOUT_S):
                    for name in _CREATE:
                        await connection.execute(_SQL[name])
        except BaseException:
            await connection.close()
            raise
        return connection

    async def _disconnect(self) -> None:
        if self._connection is not None:
            connection, self._connection = self._connection, None
            await connection.close()

    def _leave_alone(self, error: Exception) -> None:
        if self._away_until is None:
            logger.warning(
                "the response cache in PostgreSQL is away, calls are made without it (%s); see that the server runs "
                "and that THREADS_POSTGRES_DSN, where it is set, names it",
                type(error).__name__,
            )
        self._away_until = self._clock() + LEFT_ALONE_S

    def _is_back(self) -> None:
        if self._away_until is not None:
            logger.warning("the response cache in PostgreSQL is there again")
        self._away_until = None


@contextmanager
def _cut_after(connection: AsyncConnection, timeout_s: float) -> Iterator[None]:
    """Cut a connection that is silent for too long: to cancel its query would wait for a server that hangs."""
    watchdog = asyncio.get_running_loop().call_later(timeout_s, _cut, connection)
    try:
        yield
    finally:
        watchdog.cancel()


def _cut(connection: AsyncConnection) -> None:
    with suppress(psycopg.Error, OSError), socket.socket(fileno=os.dup(connection.fileno())) as duplicate:
        duplicate.shutdown(socket.SHUT_RDWR)


def _reply(kept: bytes) -> Reply | None:
    try:
        fields = json.loads(kept)
        return Reply(**{**fields, "usage": Usage(**fields["usage"])})
    except (ValueError, TypeError, KeyError):  # written by another version of the program: asked again
        return None
