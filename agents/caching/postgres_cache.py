"""The response cache in PostgreSQL: shared by all workers, in a schema of its own that is made where it is missing."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from typing import TypeVar

import psycopg
from psycopg import AsyncConnection

from agents.caching.response_cache import Question, worth_keeping
from agents.llm.answers.reply import Reply, Usage
from streams.postgres_session import PostgresSession, read_statements

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
        self._session = PostgresSession(
            dsn,
            STATEMENT_TIMEOUT_S,
            connect_timeout_s=CONNECT_TIMEOUT_S,
            application_name="threads-agent-stack llm cache",
            prepare=_create,
        )
        self._max_bytes = max_bytes
        self._ttl_s = ttl_s
        self._clock = clock
        self._lock = asyncio.Lock()
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
            await self._session.close()

    async def _in_transaction(self, work: Callable[[AsyncConnection], Awaitable[Found]]) -> Found | None:
        """Do the work, one at a time; None while the server is left alone. The server's faults end here."""
        async with self._lock:
            if self._away_until is not None and self._clock() < self._away_until:
                return None
            try:
                async with self._session.transaction() as connection:
                    found = await work(connection)
            except (psycopg.Error, OSError) as error:
                self._leave_alone(error)
                return None
            self._is_back()
            return found

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


async def _create(connection: AsyncConnection) -> None:
    for name in _CREATE:
        await connection.execute(_SQL[name])


def _reply(kept: bytes) -> Reply | None:
    try:
        fields = json.loads(kept)
        return Reply(**{**fields, "usage": Usage(**fields["usage"])})
    except (ValueError, TypeError, KeyError):  # written by another version of the program: asked again
        return None
