"""Judging: intervals that hold, and a threshold that lets as many drafts pass."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from agents.learning.quality.judging import judged, pass_share, threshold_shift
from agents.learning.quality.pairs import pairs_of
from agents.scoring.weights import WEIGHTS
from tests.support.quality_posts import HOOKS_PAY, LENGTH_PAYS, drawn_posts

scores = st.integers(0, 10**6).map(lambda value: value / 10**6)


def test_the_interval_holds_the_gain_of_other_posts_of_the_kind() -> None:
    truth = judged(pairs_of(drawn_posts(20_000, HOOKS_PAY, 99)), HOOKS_PAY, WEIGHTS).gain
    assert truth is not None
    held = 0
    for seed in range(40):
        interval = judged(pairs_of(drawn_posts(200, HOOKS_PAY, seed)), HOOKS_PAY, WEIGHTS).interval
        assert interval is not None
        held += interval[0] <= truth <= interval[1]
    assert 33 <= held <= 40  # 38 are expected


def test_worse_weights_lose_the_same_weights_gain_nothing_and_no_pair_says_nothing() -> None:
    pairs = pairs_of(drawn_posts(600, HOOKS_PAY, 1))
    worse = judged(pairs, LENGTH_PAYS, HOOKS_PAY)
    assert worse.interval is not None
    assert worse.interval[1] < 0
    same = judged(pairs, WEIGHTS, WEIGHTS)
    assert (same.gain, same.interval) == (0.0, (0.0, 0.0))
    none = judged(pairs_of([]), HOOKS_PAY, WEIGHTS)
    assert (none.pairs, none.score, none.gain, none.interval) == (0, None, None, None)


@given(st.lists(st.tuples(scores, scores), min_size=1, max_size=40, unique_by=lambda each: each[1]), scores)
def test_the_shift_lets_as_many_drafts_pass(drafts: list[tuple[float, float]], threshold: float) -> None:
    built_in, learned = np.array([each[0] for each in drafts]), np.array([each[1] for each in drafts])
    shifted = round(threshold + threshold_shift(built_in, learned, threshold), 6)
    assert 0 <= shifted <= 1
    passing, before = int(np.sum(learned >= shifted)), int(np.sum(built_in >= threshold))
    assert passing == before or (before == 0 and passing == int(np.sum(learned == 1.0)))
    if int(np.sum(learned >= threshold)) == before:
        assert shifted == threshold


def test_no_drafts_no_shift_and_no_share() -> None:
    nothing = np.zeros(0)
    assert threshold_shift(nothing, nothing, 0.78) == 0.0
    assert pass_share(nothing, 0.78) is None
