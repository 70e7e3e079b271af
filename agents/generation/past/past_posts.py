"""Past posts: what a persona posted lately and what worked, for the prompt that must not repeat it."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict, deque
from collections.abc import Callable

from agents.generation.asking.writer import Past
from agents.generation.past.best_posts import BestPosts
from schemas.catalogue import topic_named
from schemas.records import DraftDecided
from schemas.registries.registry import SchemaRegistry
from streams.kafka.beginning import Beginning
from streams.kafka.topic_tail import TopicTail
from streams.settings import Settings

TOPIC = topic_named("drafts.accepted")
KEPT_TEXTS = 5  # of each persona
LOOKED_BACK = 2_000  # records of each partition at the start
STALE_AFTER_S = 1.0


class AcceptedPosts:
    """The last accepted texts of each persona, the newest first.

    `refresh` reads what was appended since the last time, at most once a second: a prompt may miss a draft that was
    accepted just now, and de-duplication does not.
    """

    def __init__(
        self, settings: Settings, registry: SchemaRegistry, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._tail = TopicTail(settings, registry, {TOPIC: Beginning(LOOKED_BACK, per_key=KEPT_TEXTS)}, DraftDecided)
        self._monotonic = monotonic
        self._read_at_s = float("-inf")
        self._texts: defaultdict[str, deque[str]] = defaultdict(lambda: deque(maxlen=KEPT_TEXTS))
        self._lock = asyncio.Lock()

    def lately(self, persona_id: str) -> tuple[str, ...]:
        """Return the last texts of a persona, the newest first."""
        return tuple(self._texts[persona_id]) if persona_id in self._texts else ()

    async def refresh(self) -> None:
        """Read the topic up to its present end; raises `Unavailable` when that can't be done."""
        async with self._lock:
            if self._monotonic() - self._read_at_s < STALE_AFTER_S:
                return
            for accepted in await self._tail.news():
                self._texts[accepted.persona_id].appendleft(accepted.draft.text)
            self._read_at_s = self._monotonic()

    async def close(self) -> None:
        """Disconnect; what is known stays known."""
        async with self._lock:
            await self._tail.close()


class RecordedPast:
    """The past as it is recorded: accepted drafts in the log, and the KPIs of posts in Postgres."""

    def __init__(self, accepted: AcceptedPosts, best: BestPosts) -> None:
        self._accepted = accepted
        self._best = best

    async def refresh(self) -> None:
        """Catch up with the log; raises `Unavailable` when it can't be read."""
        await self._accepted.refresh()

    async def of(self, persona_id: str) -> Past:
        """Return the last five accepted texts and the best three posts; Postgres that is away knows of none."""
        return Past(self._accepted.lately(persona_id), await self._best.of(persona_id))

    async def close(self) -> None:
        """Disconnect from both."""
        await asyncio.gather(self._accepted.close(), self._best.close())
