"""Calibration: probabilities drawn from a known slope are found again, and errors are seen where they are."""

from __future__ import annotations

import numpy as np
import pytest

from agents.learning.calibration import calibration_error, fitted_slope, probability


def _outcomes(slope: float, pairs: int = 20_000) -> tuple[np.ndarray, np.ndarray]:
    chance = np.random.default_rng(3)
    differences = chance.normal(size=pairs)
    won = chance.random(pairs) < probability(differences, slope)
    return differences, np.where(won, 3.0, -3.0)


@pytest.mark.parametrize("slope", [0.3, 1.0, 4.0])
def test_the_slope_that_outcomes_were_drawn_with_is_found(slope: float) -> None:
    differences, z = _outcomes(slope)
    assert fitted_slope(differences, z) == pytest.approx(slope, rel=0.08)


def test_strengths_that_tell_nothing_or_the_opposite_have_no_slope() -> None:
    differences, z = _outcomes(1.0)
    assert fitted_slope(-differences, z) == 0
    assert fitted_slope(np.zeros(0), np.zeros(0)) == 0
    assert probability(differences[:2], 0.0).tolist() == [0.5, 0.5]


def test_the_two_orders_of_a_pair_add_up_to_one() -> None:
    differences = np.array([-600.0, -1.0, 0.0, 2.0, 600.0])
    assert probability(differences, 2.0) + probability(-differences, 2.0) == pytest.approx(np.ones(5))


def test_true_probabilities_have_a_small_error_and_bold_ones_a_great_one() -> None:
    differences, z = _outcomes(1.0)
    true, bold = (calibration_error(probability(differences, slope), z) for slope in (1.0, 4.0))
    assert true is not None
    assert bold is not None
    assert true < 0.015
    assert bold > 0.1
    assert calibration_error(np.zeros(0), np.zeros(0)) is None


def test_the_error_is_that_of_the_bins_by_hand() -> None:
    told = np.array([0.9, 0.9, 0.1, 0.1])  # two bins' worth of one confidence: told .9, right three times of four
    assert calibration_error(told, np.array([2.0, 2.0, -2.0, 2.0])) == pytest.approx(0.15)
