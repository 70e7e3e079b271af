"""The job of the benchmark: seeded engagement events with late ones and duplicates, and the answer to them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

HOUR_MS = 3_600_000
SPAN_MS = 24 * HOUR_MS
LATEST_MS = 7 * 24 * HOUR_MS
DUPLICATE_REACH = 10_000  # a duplicate follows within so many events, far inside every contestant's horizon
ID_BYTES = 16
KINDS = ("view", "like", "reply", "repost", "quote", "share", "click", "follow")
KIND_WEIGHTS = (0.80, 0.09, 0.02, 0.02, 0.01, 0.01, 0.04, 0.01)

Indices = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class WorkloadSize:
    """How large the job is. Shares are of all events; `seed` and `end_ms` make it the same job again."""

    events: int = 2_000_000
    personas: int = 150
    posts: int = 50_000
    late_share: float = 0.01
    duplicate_share: float = 0.01
    seed: int = 20261122
    end_ms: int = 1_795_363_200_000


@dataclass(frozen=True, slots=True)
class Workload:
    """Columns of the events that differ, and the order they are sent in.

    `order` holds indices into the columns; one that comes twice is an event sent twice, id and all. `ids` is
    (distinct events, 16) random bytes; personas and kinds are indices into names.
    """

    ids: npt.NDArray[np.uint8]
    occurred_ms: Indices
    post: Indices
    persona: Indices
    kind: Indices
    count: Indices
    order: Indices


def persona_name(index: int) -> str:
    """Return the id of a persona."""
    return f"persona-{index:05d}"


def post_name(index: int) -> str:
    """Return the id of a post."""
    return f"post-{index:07d}"


def generate(size: WorkloadSize) -> Workload:
    """Draw the events: posts and personas by Zipf's law (exponent 1), times spread over the last 24 hours.

    A late event is up to seven days older than its neighbours; a duplicate follows its first within
    DUPLICATE_REACH events.
    """
    random = np.random.default_rng(size.seed)
    duplicates = round(size.events * size.duplicate_share)
    distinct = size.events - duplicates
    post = _zipf(random, size.posts, distinct)
    persona_of_post = _zipf(random, size.personas, size.posts)
    occurred = np.linspace(size.end_ms - SPAN_MS, size.end_ms - 1, distinct).astype(np.int64)
    late = random.random(distinct) < size.late_share
    occurred[late] -= random.integers(HOUR_MS, LATEST_MS, int(late.sum()))
    again = random.choice(distinct, duplicates, replace=False)
    behind = again + 0.5 + random.integers(0, DUPLICATE_REACH, duplicates)
    positions = np.concatenate([np.arange(distinct, dtype=np.float64), behind])
    order = np.concatenate([np.arange(distinct), again])[np.argsort(positions, kind="stable")]
    return Workload(
        ids=random.integers(0, 256, (distinct, ID_BYTES), dtype=np.uint8),
        occurred_ms=occurred,
        post=post,
        persona=persona_of_post[post],
        kind=random.choice(len(KINDS), distinct, p=KIND_WEIGHTS),
        count=random.geometric(0.3, distinct),
        order=order.astype(np.int64),
    )


def _zipf(random: np.random.Generator, names: int, draws: int) -> Indices:
    weights = 1.0 / np.arange(1, names + 1)
    return random.choice(names, draws, p=weights / weights.sum()).astype(np.int64)


@dataclass(frozen=True, slots=True)
class Answer:
    """What every contestant must find, sorted by its key columns.

    `panes` has persona_id, kind, hour (hours since the epoch, UTC), count; `posts` has post_id, kind, count.
    """

    panes: pl.DataFrame
    posts: pl.DataFrame


PANE_KEY = ("persona_id", "kind", "hour")
POST_KEY = ("post_id", "kind")


def expected_answer(workload: Workload) -> Answer:
    """Compute the answer from the drawn columns alone: duplicates are never in them, so nothing is dropped here."""
    kinds = np.array(KINDS)
    events = pl.DataFrame(
        {
            "persona": workload.persona,
            "post": workload.post,
            "kind": kinds[workload.kind],
            "hour": workload.occurred_ms // HOUR_MS,
            "count": workload.count,
        }
    )
    panes = events.group_by("persona", "kind", "hour").agg(pl.col("count").sum())
    posts = events.group_by("post", "kind").agg(pl.col("count").sum())
    return Answer(
        panes.select(_names("persona_id", panes["persona"], persona_name), "kind", "hour", "count").sort(PANE_KEY),
        posts.select(_names("post_id", posts["post"], post_name), "kind", "count").sort(POST_KEY),
    )


def _names(column: str, indices: pl.Series, name: Callable[[int], str]) -> pl.Series:
    return pl.Series(column, [name(index) for index in indices], dtype=pl.String)
