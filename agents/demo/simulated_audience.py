"""A simulated audience: engagement with accepted drafts as if they were posted, marked as simulated throughout."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import uuid4

import numpy as np

from agents.demo.sample_engagement import CLICK_RATE, FOLLOW_RATE, INTERACTION_SHARES, interaction_rates
from schemas.records import DraftDecided, EngagementEvent, EngagementKind, PostPublished
from streams.engine.stage import Output
from streams.identity import derived_id
from streams.wall_clock import utc_now

SOURCE = "simulated"
VIEWS_PER_TURN = 12.0
KINDS: tuple[EngagementKind, ...] = ("like", "reply", "repost", "quote", "share")


@dataclass(frozen=True, slots=True)
class _Post:
    persona_id: str
    post_id: str
    interaction_rate: float


class SimulatedAudience:
    """Look at posts turn by turn. Nothing of it reaches Threads, and every event says that it is simulated."""

    def __init__(self, seed: int, clock: Callable[[], datetime] = utc_now) -> None:
        self._random = np.random.default_rng(seed)
        self._clock = clock
        self._posts: dict[str, _Post] = {}

    def publish(self, accepted: Iterable[DraftDecided]) -> list[Output]:
        """Return a simulated post for each accepted draft that has none yet."""
        outputs = []
        for decided in accepted:
            draft = decided.draft
            if draft.draft_id in self._posts:
                continue
            post = _Post(draft.persona_id, f"simulated-{draft.draft_id}", interaction_rates(self._random, 1)[0])
            self._posts[draft.draft_id] = post
            published = PostPublished(
                event_id=derived_id(post.post_id, "published"),
                occurred_at=self._clock(),
                persona_id=post.persona_id,
                causation_id=decided.event_id,
                post_id=post.post_id,
                draft_id=draft.draft_id,
                text=draft.text,
                source=SOURCE,
                simulated=True,
            )
            outputs.append(Output("posts.published", published))
        return outputs

    def turn(self) -> list[Output]:
        """Return the engagement of one turn: some views of every post, and what comes of them."""
        return [Output("engagement.events", event) for post in self._posts.values() for event in self._events(post)]

    def _events(self, post: _Post) -> list[EngagementEvent]:
        views = int(self._random.poisson(VIEWS_PER_TURN))
        interactions = self._random.multinomial(self._random.binomial(views, post.interaction_rate), INTERACTION_SHARES)
        counts: dict[EngagementKind, int] = {
            "view": views,
            **dict(zip(KINDS, interactions.tolist(), strict=True)),
            "click": int(self._random.binomial(views, CLICK_RATE)),
            "follow": int(self._random.binomial(views, FOLLOW_RATE)),
        }
        return [
            EngagementEvent(
                event_id=str(uuid4()),
                occurred_at=self._clock(),
                persona_id=post.persona_id,
                post_id=post.post_id,
                kind=kind,
                count=count,
                source=SOURCE,
                simulated=True,
            )
            for kind, count in counts.items()
            if count
        ]
