"""The events of the job: seeded engagement with late ones and duplicates, drawn a segment at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tests.benchmarks.job import HOUR_MS, KINDS

SPAN_MS = 24 * HOUR_MS
LATEST_MS = 7 * 24 * HOUR_MS
DUPLICATE_REACH = 10_000  # a duplicate follows within so many events, far inside every contestant's horizon
SEGMENT_EVENTS = 500_000
ID_BYTES = 16
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
class Segment:
    """Columns of consecutive events, and the order they are sent in.

    `order` holds indices into the columns; one that comes twice is an event sent twice, id and all. `ids` is
    (distinct events, 16) random bytes; posts, personas and kinds are indices into names.
    """

    ids: npt.NDArray[np.uint8]
    occurred_ms: Indices
    post: Indices
    persona: Indices
    kind: Indices
    count: Indices
    order: Indices


def segments(size: WorkloadSize, segment_events: int = SEGMENT_EVENTS) -> Iterator[Segment]:
    """Draw the events: posts and personas by Zipf's law (exponent 1), times spread over the last 24 hours.

    A late event is up to seven days older than its neighbours; a duplicate follows its first within DUPLICATE_REACH
    events of its segment. Memory is that of one segment, however many events there are.
    """
    persona_of_post = personas_of_posts(size)
    for number, begin in enumerate(range(0, size.events, segment_events)):
        end = min(begin + segment_events, size.events)
        random = np.random.default_rng([size.seed, number])
        yield _segment(size, random, begin, end, persona_of_post)


def personas_of_posts(size: WorkloadSize) -> Indices:
    """Return the persona of each post, by index."""
    return _zipf(np.random.default_rng(size.seed), size.personas, size.posts)


def _segment(
    size: WorkloadSize, random: np.random.Generator, begin: int, end: int, persona_of_post: Indices
) -> Segment:
    duplicates = round((end - begin) * size.duplicate_share)
    distinct = end - begin - duplicates
    post = _zipf(random, size.posts, distinct)
    first_ms = size.end_ms - SPAN_MS
    bounds_ms = (first_ms + SPAN_MS * begin // size.events, first_ms + SPAN_MS * end // size.events)
    occurred = np.linspace(*bounds_ms, distinct, endpoint=False).astype(np.int64)
    late = random.random(distinct) < size.late_share
    occurred[late] -= random.integers(HOUR_MS, LATEST_MS, int(late.sum()))
    again = random.choice(distinct, duplicates, replace=False)
    behind = again + 0.5 + random.integers(0, DUPLICATE_REACH, duplicates)
    positions = np.concatenate([np.arange(distinct, dtype=np.float64), behind])
    order = np.concatenate([np.arange(distinct), again])[np.argsort(positions, kind="stable")]
    return Segment(
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
