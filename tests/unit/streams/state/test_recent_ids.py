"""Recent ids: a repetition is one within the horizon of offsets, whatever the batching and wherever a restart falls."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.state.duplicates import RecentIds


def naive(ids: list[int], offsets: list[int], horizon: int) -> list[bool]:
    last: dict[int, int] = {}
    first = []
    for identity, offset in zip(ids, offsets, strict=True):
        first.append(identity not in last or offset - last[identity] > horizon)
        last[identity] = offset
    return first


def in_batches(recent: RecentIds, ids: list[int], offsets: list[int], size: int) -> list[bool]:
    answer: list[bool] = []
    for start in range(0, len(ids), size):
        hashes = np.array(ids[start : start + size], dtype=np.uint64)
        answer += recent.first_seen(hashes, np.array(offsets[start : start + size], dtype=np.int64)).tolist()
    return answer


@settings(deadline=None)
@given(
    ids=st.lists(st.integers(0, 12), min_size=1, max_size=120),
    gaps=st.lists(st.integers(1, 3), min_size=120, max_size=120),
    horizon=st.integers(1, 40),
    size=st.integers(1, 50),
    restart=st.integers(0, 120),
    warm_size=st.integers(1, 50),
)
def test_repetitions_within_the_horizon_are_found_across_restarts(  # noqa: PLR0917 - Hypothesis draws them
    ids: list[int], gaps: list[int], horizon: int, size: int, restart: int, warm_size: int
) -> None:
    offsets = np.cumsum(gaps[: len(ids)]).tolist()
    expected = naive(ids, offsets, horizon)
    assert in_batches(RecentIds(horizon), ids, offsets, size) == expected
    cut = restart % len(ids)
    resumed = RecentIds(horizon)
    known = [position for position in range(cut) if offsets[position] >= offsets[cut] - horizon]
    for start in range(0, len(known), warm_size):
        part = known[start : start + warm_size]
        resumed.remember(
            np.array([ids[p] for p in part], dtype=np.uint64), np.array([offsets[p] for p in part], dtype=np.int64)
        )
    assert in_batches(resumed, ids[cut:], offsets[cut:], size) == expected[cut:]


def test_memory_is_bounded_by_the_horizon() -> None:
    recent = RecentIds(1_000)
    for start in range(0, 50_000, 500):
        offsets = np.arange(start, start + 500)
        assert recent.first_seen(offsets.astype(np.uint64), offsets).all()
    assert len(recent) <= 4 * 1_000


def test_without_a_horizon_everything_is_new() -> None:
    assert RecentIds(0).first_seen(np.zeros(3, dtype=np.uint64), np.arange(3)).all()
