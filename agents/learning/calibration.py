"""Calibration: from a difference of strengths to a probability that can be believed, and how far it can."""

from __future__ import annotations

import numpy as np

from agents.learning.evidence.headline_tests import Floats

BINS = 10
_STEPS = 60
_GREATEST_SLOPE = 100.0


def fitted_slope(differences: Floats, z: Floats) -> float:
    """Return the slope of the logistic curve that makes the outcomes most likely; 0 where strengths tell nothing.

    There is no intercept: which of the two hooks is named first says nothing.
    """
    agreement = differences * np.sign(z)

    def gradient(slope: float) -> float:
        return float(np.mean(agreement * probability(-agreement, slope)))

    low, high = 0.0, _GREATEST_SLOPE
    if not len(agreement) or gradient(low) <= 0:
        return 0.0
    for _ in range(_STEPS):  # the gradient falls with the slope
        middle = (low + high) / 2
        low, high = (middle, high) if gradient(middle) > 0 else (low, middle)
    return (low + high) / 2


def probability(differences: Floats, slope: float) -> Floats:
    """Return the probability that the first hook wins, in (0, 1)."""
    return np.asarray(1 / (1 + np.exp(-np.clip(slope * differences, -500, 500))))


def calibration_error(first_wins: Floats, z: Floats) -> float | None:
    """Return the expected calibration error: of the winner's probability in [.5, 1], ten bins of equal width.

    It is the mean distance between the probability told and the share that came true, by the pairs in each bin. Even
    perfect probabilities show some, by chance: about .015 on 3,700 pairs.
    """
    if not len(z):
        return None
    confidence = np.maximum(first_wins, 1 - first_wins)
    right = (first_wins > 0.5) == (z > 0)  # noqa: PLR2004 - more likely than not
    bins = np.minimum(((confidence - 0.5) * 2 * BINS).astype(np.int64), BINS - 1)
    told, true = (np.bincount(bins, each, minlength=BINS) for each in (confidence, right.astype(np.float64)))
    return float(np.abs(told - true).sum() / len(z))
