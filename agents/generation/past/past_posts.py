"""Past posts: what a persona posted lately and what worked, for the prompt that must not repeat it."""

from __future__ import annotations

import asyncio
from typing import Protocol

from agents.generation.asking.writer import Past
from agents.generation.past.accepted_posts import AcceptedPosts
from agents.generation.past.best_posts import BestPosts


class PastPosts(Protocol):
    """Knows the past of personas."""

    async def refresh(self) -> None:
        """Catch up; `Unavailable` when that can't be done."""
        ...

    async def of(self, persona_id: str) -> Past:
        """Return what is known of a persona's past; nothing of a new one's."""
        ...

    async def close(self) -> None:
        """Disconnect."""
        ...


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
