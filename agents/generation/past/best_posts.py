"""Best posts: what engaged the readers of a persona most, by the KPIs in Postgres."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from pathlib import Path

import psycopg
from psycopg import AsyncConnection

from streams.postgres_session import startup, transaction

logger = logging.getLogger(__name__)

QUERY = Path(__file__).with_name("best_posts.sql").read_text(encoding="utf-8")
CONNECT_TIMEOUT_S = 3
STATEMENT_TIMEOUT_S = 2.0
KNOWN_FOR_S = 300.0
AWAY_FOR_S = 30.0  # after a failure nobody is asked for that long: a draft must not wait for Postgres


class BestPosts:
    """The texts of each persona's best posts, asked anew after five minutes.

    They only help a prompt: while Postgres is away, or has no such tables, there are none, which is logged once.
    """

    def __init__(self, dsn: str | None, monotonic: Callable[[], float] = time.monotonic) -> None:
        """Ask the database of a DSN; None knows of no posts."""
        self._dsn = dsn
        self._monotonic = monotonic
        self._connection: AsyncConnection | None = None
        self._known: dict[str, tuple[float, tuple[str, ...]]] = {}
        self._away_until = float("-inf")
        self._told_away = False
        self._lock = asyncio.Lock()

    async def of(self, persona_id: str) -> tuple[str, ...]:
        """Return the texts of the best posts, the best first."""
        now = self._monotonic()
        async with self._lock:
            asked_at, texts = self._known.get(persona_id, (float("-inf"), ()))
            if self._dsn is None or now - asked_at < KNOWN_FOR_S or now < self._away_until:
                return texts
            try:
                async with asyncio.timeout(CONNECT_TIMEOUT_S + STATEMENT_TIMEOUT_S):
                    texts = await self._asked(self._dsn, persona_id)
            except (psycopg.Error, TimeoutError) as error:
                self._away(now, error)
                await self.close()
                return texts
        self._told_away = False
        self._known[persona_id] = (now, texts)
        return texts

    async def _asked(self, dsn: str, persona_id: str) -> tuple[str, ...]:
        connection = self._connection
        if connection is None or connection.closed:
            connection = self._connection = await AsyncConnection.connect(
                dsn, connect_timeout=CONNECT_TIMEOUT_S, **startup()
            )
        async with transaction(connection, STATEMENT_TIMEOUT_S, read_only=True):
            cursor = await connection.execute(QUERY.encode(), {"persona_id": persona_id})
            return tuple(row[0] for row in await cursor.fetchall())

    def _away(self, now: float, error: Exception) -> None:
        self._away_until = now + AWAY_FOR_S
        if not self._told_away:
            logger.warning(
                "Prompts go without the posts that worked best, until Postgres answers: %s", type(error).__name__
            )
        self._told_away = True

    async def close(self) -> None:
        """Disconnect."""
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()
