"""Evaluation: shares, ties and intervals by hand."""

from __future__ import annotations

import numpy as np
import pytest

from agents.learning.evaluation import share_right
from agents.learning.evidence.headline_tests import Floats
from agents.learning.evidence.pairs import Pairs

EVERY = np.ones(4, dtype=bool)


def _pairs(z: list[float], tests: list[int]) -> Pairs:
    count = np.arange(len(z))
    return Pairs(count, count, np.array(tests), np.array(z), np.zeros(len(z)), None)


def _wins(*values: float) -> Floats:
    return np.array(values)


def test_a_pair_is_right_if_the_likelier_hook_did_better_and_half_right_without_a_favourite() -> None:
    pairs = _pairs([3.0, -3.0, 3.0, -3.0], [0, 0, 1, 1])
    share = share_right("all", pairs, _wins(0.9, 0.6, 0.5, 0.1), EVERY)
    assert (share.name, share.pairs, share.accuracy) == ("all", 4, 2.5 / 4)


def test_the_interval_is_that_of_tests_not_of_pairs() -> None:
    """Pairs of one test are right or wrong together, so many pairs of few tests are few observations."""
    right = np.repeat(np.arange(20) % 2, 50).astype(np.float64)
    pairs = _pairs([3.0] * 1000, np.repeat(np.arange(20), 50).tolist())
    low, high = share_right("", pairs, np.asarray(0.2 + 0.6 * right), np.ones(1000, dtype=bool)).interval or (0, 0)
    assert (low, high) == pytest.approx((0.3, 0.7), abs=0.06)  # of a fair coin thrown 20 times, not 1,000


def test_no_pair_has_no_share() -> None:
    share = share_right("none", _pairs([3.0] * 4, [0] * 4), _wins(0.9, 0.9, 0.9, 0.9), ~EVERY)
    assert (share.pairs, share.accuracy, share.interval) == (0, None, None)
