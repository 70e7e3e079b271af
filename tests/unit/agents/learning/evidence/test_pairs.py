"""Pairs: which arms are compared, and how clear their difference is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from agents.learning.evidence.headline_tests import read_tests
from agents.learning.evidence.pairs import pairs_of, z_scores
from tests.support.drawn_tests import draw_tests

ROWS = "a,One,p,1000,50\na,Two,p,1000,100\na,One,q,1000,60\nb,Three,p,500,0\nb,Four,p,500,0\n"


def test_arms_of_one_test_with_different_headlines_are_pairs(tmp_path: Path) -> None:
    file = tmp_path / "tests.csv"
    file.write_text("test_id,headline,eyecatcher_id,impressions,clicks\n" + ROWS)
    pairs = pairs_of(read_tests(file))
    assert list(zip(pairs.first.tolist(), pairs.second.tolist(), strict=True)) == [(0, 1), (1, 2), (3, 4)]
    assert pairs.same_picture is not None
    assert pairs.same_picture.tolist() == [True, False, True]
    assert pairs.significant.tolist() == [True, True, False]
    assert pairs.gap.tolist() == pytest.approx([1.0, 2 / 3, np.inf])
    assert pairs.only(pairs.significant).test.tolist() == [0, 0]


def test_z_is_the_pooled_two_proportion_score() -> None:
    # 50 of 1,000 against 100 of 1,000: pooled .075, standard error .011779, by hand
    one = np.array([50.0]), np.array([1000.0])
    other = np.array([100.0]), np.array([1000.0])
    assert z_scores(*one, *other)[0] == pytest.approx(-4.2447, abs=1e-3)
    assert z_scores(*other, *one)[0] == pytest.approx(4.2447, abs=1e-3)


@pytest.mark.parametrize("clicks", [0.0, 10.0])
def test_nobody_or_everybody_clicking_is_a_tie(clicks: float) -> None:
    counts = np.array([clicks]), np.array([10.0])
    assert z_scores(*counts, *counts)[0] == 0


def test_without_a_difference_one_pair_in_twenty_is_called_significant() -> None:
    drawn = draw_tests(tests=400, arms=5, spread=0.0)
    assert pairs_of(drawn.tests).significant.mean() == pytest.approx(0.05, abs=0.01)
