"""The arms of randomized tests as arrays by test, and what the predictor foretells of them without having seen them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from agents.learning.evidence.folds import FOLDS, fold_of_tests
from agents.learning.evidence.headline_tests import HeadlineTests

Floats = NDArray[np.float64]
Marks = NDArray[np.bool_]
LEAST_ODDS_VARIANCE = 1e-3
_HALF_A_CLICK = 0.5


@dataclass(frozen=True, slots=True)
class TestArms:
    """Click rates of arms, shape (tests, arms); `there` marks those that a test has.

    `base` is the mean rate of the other folds' tests, shape (tests,). `foretold` are the predictor's rates, of the same
    level; `views` are how many views' worth they are, `base_views` those of a prior without a predictor: both fitted on
    the other folds, shape (tests,).
    """

    __test__ = False  # it is none, whatever its name says

    rate: Floats
    there: Marks
    base: Floats
    foretold: Floats
    views: Floats
    base_views: Floats


def arms_of_tests(tests: HeadlineTests, strengths: Floats) -> TestArms:
    """Return the arms; `strengths` are those of the headlines by arm, from models that have not seen their tests."""
    counts = np.bincount(tests.test)
    place = np.arange(len(tests.test)) - np.repeat(np.cumsum(counts) - counts, counts)
    shape = (len(counts), int(counts.max()))
    rate, strength, shown = np.zeros(shape), np.zeros(shape), np.ones(shape)
    there = np.zeros(shape, dtype=np.bool_)
    rate[tests.test, place] = tests.clicks / tests.shown
    strength[tests.test, place] = strengths
    shown[tests.test, place] = tests.shown
    there[tests.test, place] = True
    centred = np.where(there, strength - _mean(strength, there)[:, None], 0.0)
    folds = fold_of_tests(tests)
    base, views, base_views = np.zeros(len(counts)), np.zeros(len(counts)), np.zeros(len(counts))
    for fold in range(FOLDS):
        here, others = folds == fold, folds != fold
        base[here] = rate[others][there[others]].mean() if others.any() else 0.01
        spread = base[here].mean() * (1 - base[here].mean())
        views[here] = 1 / (spread * left_variance(rate[others], shown[others], there[others], centred[others]))
        base_views[here] = 1 / (spread * left_variance(rate[others], shown[others], there[others], None))
    odds = np.log(base / (1 - base))[:, None] + centred
    return TestArms(rate, there, base, 1 / (1 + np.exp(-odds)), views, base_views)


def left_variance(rate: Floats, shown: Floats, there: Marks, foretold: Floats | None) -> float:
    """Return the variance of true log odds around what is foretold, within tests: what chance explains is taken off."""
    clicks = rate * shown + _HALF_A_CLICK
    odds = np.log(clicks / (shown - rate * shown + _HALF_A_CLICK)) - (0.0 if foretold is None else foretold)
    noise = 1 / clicks
    arms = there.sum(axis=1)
    around = np.where(there, odds - _mean(odds, there)[:, None], 0.0)
    seen = (around**2).sum() / (arms - 1).sum()
    chance = (_mean(noise, there) * (arms - 1)).sum() / (arms - 1).sum()
    return max(float(seen - chance), LEAST_ODDS_VARIANCE)


def _mean(values: Floats, there: Marks) -> Floats:
    return np.asarray(np.where(there, values, 0.0).sum(axis=1) / there.sum(axis=1))
