"""Events that make a wanted number of state keys, and what must be told of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from schemas.codec.column_encoder import Constant
from tests.benchmarks.job import HOUR_MS, persona_name, post_name
from tests.benchmarks.running.avro_values import CHUNK_EVENTS, Chunk, EventEncoder, uuid_texts
from tests.benchmarks.running.told_updates import Told
from tests.benchmarks.running.workload import ID_BYTES

MINUTE_MS = 60_000
SPAN_MINUTES = 20 * 60  # what must be told over 24 h stays so for hours
POSTS_OF_PANE = 4  # at least so many posts for each minute of a persona
MOST_PERSONAS = 150
POST_VIEWS = 100
POST_LIKES = 20  # of 100 views: the post is viral, if its views are still known
WINDOWS = ("24h", "7d", "30d", "lifetime")  # all events lie in each of them

Indices = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class StateLoad:
    """A view of every one of `posts` posts, in the order of time over the last 20 hours before `end_ms`.

    Each post is a state key, however the platform keeps the panes beside them: `minutes` panes of each persona, and
    the hours and the lifetime that they lie in.
    """

    posts: int
    personas: int
    minutes: int
    end_ms: int

    @classmethod
    def of(cls, keys: int, end_ms: int) -> StateLoad:
        """Return the load that makes at least so many state keys, 1,000 or more."""
        personas = min(MOST_PERSONAS, keys // 100)
        minutes = max(min(SPAN_MINUTES, keys // POSTS_OF_PANE // personas), 1)
        return cls(keys, personas, minutes, end_ms)

    @property
    def panes(self) -> int:
        """Return how many minutes of personas the events lie in."""
        return self.personas * self.minutes

    def views(self) -> Iterator[Chunk]:
        """Yield the views: POST_VIEWS of every post."""
        return self._events(np.arange(self.posts), "view", POST_VIEWS, seed=1)

    def likes(self, number: int, count: int) -> Iterator[Chunk]:
        """Yield the small load of a number: POST_LIKES of `count` posts that no other number likes."""
        return self._events(self._liked(number, count), "like", POST_LIKES, seed=2 + number)

    def _liked(self, number: int, count: int) -> Indices:
        return np.arange(number * count, (number + 1) * count) % self.posts

    def _events(self, posts: Indices, kind: str, amount: int, seed: int) -> Iterator[Chunk]:
        encoder, random = EventEncoder(), np.random.default_rng(seed)
        first_ms = self.end_ms - SPAN_MINUTES * MINUTE_MS
        for begin in range(0, len(posts), CHUNK_EVENTS):
            chosen = posts[begin : begin + CHUNK_EVENTS]
            yield encoder.chunk(
                chosen % self.personas,
                {
                    "event_id": uuid_texts(random.integers(0, 256, (len(chosen), ID_BYTES), dtype=np.uint8)),
                    "occurred_at": first_ms + chosen * self.minutes // self.posts * MINUTE_MS,
                    "post_id": [post_name(post) for post in chosen.tolist()],
                    "kind": Constant(kind),
                    "count": Constant(amount),
                },
            )

    def told(self, likes: int, count: int) -> Told:
        """Return what must be told in WINDOWS after so many small loads of `count` posts each."""
        posts = np.bincount(np.arange(self.posts) % self.personas, minlength=self.personas)
        liked = np.concatenate([self._liked(number, count) for number in range(likes)] or [np.zeros(0, dtype=np.int64)])
        viral = np.bincount(liked % self.personas, minlength=self.personas)
        told: Told = {}
        for persona in range(self.personas):
            counts = {"views": int(posts[persona]) * POST_VIEWS, "likes": int(viral[persona]) * POST_LIKES}
            for window in WINDOWS:
                more = {"viral_posts": int(viral[persona])} if window == "lifetime" else {}
                told[persona_name(persona), window] = {name: n for name, n in {**counts, **more}.items() if n}
        return told


def last_hour_ms(now_ms: int) -> int:
    """Return the beginning of the hour of a time."""
    return now_ms // HOUR_MS * HOUR_MS
