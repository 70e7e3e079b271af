"""The ceiling: how often the arm that did better really is the better one, so what a perfect predictor would score."""

from __future__ import annotations

import numpy as np

from agents.learning.evidence.headline_tests import Floats, HeadlineTests, Indexes, Marks
from agents.learning.evidence.pairs import Pairs
from agents.learning.evidence.weights import log_odds


def true_variance(tests: HeadlineTests, pairs: Pairs) -> float:
    """Return the variance of the arms' true log odds within a test: what counts alone don't explain."""
    odds, _ = log_odds(tests)
    seen = (odds[pairs.first] - odds[pairs.second]) ** 2
    chance = _chance(tests, pairs.first, pairs.second)
    weights = 1 / chance**2
    return max(float(np.sum(weights * (seen - chance)) / np.sum(weights)) / 2, 0.0)


def ceiling(tests: HeadlineTests, pairs: Pairs, wanted: Marks) -> float | None:
    """Return the mean probability that the better arm of a wanted pair is truly better; None without pairs.

    True log odds of a test's arms are taken for normal with a common variance; the posterior of each difference
    follows from its own counts.
    """
    if not wanted.any():
        return None
    odds, _ = log_odds(tests)
    first, second = pairs.first[wanted], pairs.second[wanted]
    between = 2 * true_variance(tests, pairs)
    chance = _chance(tests, first, second)
    shrunk = between / (between + chance)
    spread = np.sqrt(np.maximum(shrunk * chance, 1e-12))
    return float(np.mean(_normal_share(np.abs(odds[first] - odds[second]) * shrunk / spread)))


def _chance(tests: HeadlineTests, first: Indexes, second: Indexes) -> Floats:
    """Return the variance that counts alone give a difference of log odds, by the click rate of both arms together.

    Each arm's own rate would weigh arms that were lucky more.
    """
    shown = tests.shown[first], tests.shown[second]
    clicks = tests.clicks[first] + tests.clicks[second] + 1
    rate = clicks / (shown[0] + shown[1] + 2)
    return np.asarray((1 / (shown[0] + 1) + 1 / (shown[1] + 1)) / (rate * (1 - rate)))


def _normal_share(z: Floats) -> Floats:
    """Return the share of the normal distribution below z >= 0 (Abramowitz and Stegun 7.1.26, within 1e-7)."""
    scaled = z / np.sqrt(2)
    t = 1 / (1 + 0.3275911 * scaled)
    series = ((((1.061405429 * t - 1.453152027) * t + 1.421413741) * t - 0.284496736) * t + 0.254829592) * t
    return np.asarray(1 - series * np.exp(-(scaled**2)) / 2)
