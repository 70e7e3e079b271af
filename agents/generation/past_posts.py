"""Past posts: what a persona posted lately, for the prompt that must not repeat it, and what engaged readers most."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import defaultdict, deque
from collections.abc import Callable
from pathlib import Path

import psycopg

from agents.generation.asking.writer import Past
from schemas.catalogue import topic_named
from schemas.records import DraftDecided
from schemas.registries.registry import SchemaRegistry
from streams.kafka.cluster import Cluster
from streams.kafka.tailed_table import TailedTable
from streams.kafka.topic_tail import Beginning, TopicTail
from streams.postgres_session import PostgresSession

TOPIC = topic_named("drafts.accepted")
KEPT_TEXTS = 5  # of each persona
LOOKED_BACK = 2_000  # records of each partition at the start
STALE_AFTER_S = 1.0


class AcceptedPosts(TailedTable[DraftDecided]):
    """The last accepted texts of each persona, the newest first."""

    def __init__(
        self, cluster: Cluster, registry: SchemaRegistry, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        beginning = Beginning(LOOKED_BACK, per_key=KEPT_TEXTS)
        super().__init__(TopicTail(cluster, registry, {TOPIC: beginning}, DraftDecided), monotonic)
        self._texts: defaultdict[str, deque[str]] = defaultdict(lambda: deque(maxlen=KEPT_TEXTS))

    def put(self, record: DraftDecided) -> None:
        """Add a text to those of its persona."""
        self._texts[record.persona_id].appendleft(record.draft.text)

    def lately(self, persona_id: str) -> tuple[str, ...]:
        """Return the last texts of a persona, the newest first."""
        return tuple(self._texts[persona_id]) if persona_id in self._texts else ()


class RecordedPast:
    """The past as it is recorded: accepted drafts in the log, and the KPIs of posts in Postgres."""

    def __init__(self, accepted: AcceptedPosts, best: BestPosts) -> None:
        self._accepted = accepted
        self._best = best

    async def refresh(self) -> None:
        """Catch up with the log, at most once a second; raises `Unavailable` when it can't be read.

        A prompt may miss a draft that was accepted just now, and de-duplication does not.
        """
        await self._accepted.refresh(max_age_s=STALE_AFTER_S)

    async def of(self, persona_id: str) -> Past:
        """Return the last five accepted texts and the best three posts; Postgres that is away knows of none."""
        return Past(self._accepted.lately(persona_id), await self._best.of(persona_id))

    async def close(self) -> None:
        """Disconnect from both."""
        await asyncio.gather(self._accepted.close(), self._best.close())


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
        self._session = (
            None if dsn is None else PostgresSession(dsn, STATEMENT_TIMEOUT_S, connect_timeout_s=CONNECT_TIMEOUT_S)
        )
        self._monotonic = monotonic
        self._known: dict[str, tuple[float, tuple[str, ...]]] = {}
        self._away_until = float("-inf")
        self._told_away = False
        self._lock = asyncio.Lock()

    async def of(self, persona_id: str) -> tuple[str, ...]:
        """Return the texts of the best posts, the best first."""
        now = self._monotonic()
        async with self._lock:
            asked_at, texts = self._known.get(persona_id, (float("-inf"), ()))
            if self._session is None or now - asked_at < KNOWN_FOR_S or now < self._away_until:
                return texts
            try:
                texts = await self._asked(self._session, persona_id)
            except (psycopg.Error, TimeoutError) as error:
                self._away(now, error)
                return texts
        self._told_away = False
        self._known[persona_id] = (now, texts)
        return texts

    async def _asked(self, session: PostgresSession, persona_id: str) -> tuple[str, ...]:
        async with asyncio.timeout(CONNECT_TIMEOUT_S + STATEMENT_TIMEOUT_S):
            async with session.transaction(read_only=True) as connection:
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
        if self._session is not None:
            await self._session.close()
