"""Accepted posts: the last texts of each persona, kept up with drafts.accepted."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict, deque
from collections.abc import Callable

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
