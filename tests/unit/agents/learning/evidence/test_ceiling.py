"""The ceiling on tests whose truth is known."""

from __future__ import annotations

import numpy as np
import pytest

from agents.learning.evidence.ceiling import ceiling, true_variance
from agents.learning.evidence.pairs import pairs_of
from tests.support.drawn_tests import draw_tests


@pytest.mark.parametrize(("spread", "views"), [(0.1, 3000), (0.3, 3000), (0.3, 30_000)])
def test_the_ceiling_is_how_often_the_better_arm_is_truly_better(spread: float, views: int) -> None:
    drawn = draw_tests(tests=1500, spread=spread, views=views)
    pairs = pairs_of(drawn.tests)
    clear = pairs.significant
    truly = (drawn.truth[pairs.first] > drawn.truth[pairs.second]) == (pairs.z > 0)
    for wanted in (clear, pairs.z != 0):
        told = ceiling(drawn.tests, pairs, wanted)
        assert told == pytest.approx(truly[wanted].mean(), abs=0.02)


def test_the_true_variance_is_found_beneath_chance() -> None:
    drawn = draw_tests(tests=800, spread=0.3)
    within = drawn.truth.reshape(800, 4)
    expected = within.var(axis=1, ddof=1).mean()
    assert true_variance(drawn.tests, pairs_of(drawn.tests)) == pytest.approx(expected, rel=0.15)


def test_where_all_arms_are_alike_the_better_one_is_so_by_chance() -> None:
    drawn = draw_tests(tests=1500, spread=0.0)
    pairs = pairs_of(drawn.tests)
    assert ceiling(drawn.tests, pairs, pairs.z != 0) == pytest.approx(0.5, abs=0.08)
    assert ceiling(drawn.tests, pairs, np.zeros(len(pairs), dtype=bool)) is None
