"""What a judge gains over the predictor: both, and both together, on the same pairs, with what the judge cost."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from agents.learning.evaluation import Evaluation, Share, interval_by_test, right_of, share_right
from agents.learning.evidence.headline_tests import Floats, HeadlineTests, Marks
from agents.learning.evidence.pairs import Pairs
from agents.learning.llm_judge import HookPair, Judged, LlmJudge

FOLDS = 2
_STEPS = 25
_RIDGE = 1.0  # pulls a weight towards none, as one pair of log odds 1 would


@dataclass(frozen=True, slots=True)
class Gain:
    """Shares right on the pairs that were judged; `gained` is that of both together less the predictor's."""

    predictor: Share
    judge: Share
    together: Share
    gained: float
    gained_interval: tuple[float, float]
    judged: Judged


async def gain_of(
    judge: LlmJudge, tests: HeadlineTests, evaluation: Evaluation, *, sample: int, seed: int
) -> Gain | None:
    """Have a judge look at `sample` significant pairs, drawn with a seed; None where there is none.

    Raises:
        Unavailable, RecordFault, SettingsError: a call to the judge failed for good.
    """
    pairs = evaluation.compared
    clear = np.flatnonzero(pairs.significant)
    if not len(clear):
        return None
    drawn = np.sort(np.random.default_rng(seed).choice(clear, min(sample, len(clear)), replace=False))
    mask = np.zeros(len(pairs), dtype=np.bool_)
    mask[drawn] = True
    some, predicted = pairs.only(mask), evaluation.first_wins[drawn]
    judged = await judge.judge(_texts(tests, some))
    both = together(predicted, judged.first_wins, some)
    every = np.ones(len(some), dtype=np.bool_)
    differences = right_of(some, both) - right_of(some, predicted)
    return Gain(
        share_right("predictor", some, predicted, every),
        share_right(f"judge: {judged.model}", some, judged.first_wins, every),
        share_right("both together", some, both, every),
        float(differences.mean()),
        interval_by_test(differences, some.test),
        judged,
    )


def together(predicted: Floats, judged: Floats, pairs: Pairs) -> Floats:
    """Return the probability by both: log odds weighted as fits the other half of the tests best."""
    log_odds = np.stack([np.log(each / (1 - each)) for each in (predicted, judged)], axis=1)
    numbers = np.unique(pairs.test, return_inverse=True)[1]
    found = np.full(len(pairs), 0.5)
    for fold in range(FOLDS):
        here = numbers % FOLDS == fold
        weights = _fitted(log_odds[~here], pairs.z[~here] > 0)
        found[here] = 1 / (1 + np.exp(-log_odds[here] @ weights))
    return found


def _fitted(log_odds: Floats, first_won: Marks) -> Floats:
    """Return the weights of a logistic regression without intercept, by Newton's method; shape (2,)."""
    weights = np.zeros(log_odds.shape[1])
    for _ in range(_STEPS):
        told = 1 / (1 + np.exp(-log_odds @ weights))
        slope = log_odds.T @ (first_won - told) - _RIDGE * weights
        curve = (log_odds * (told * (1 - told))[:, None]).T @ log_odds + _RIDGE * np.eye(len(weights))
        weights = weights + np.linalg.solve(curve, slope)
    return np.asarray(weights)


def _texts(tests: HeadlineTests, pairs: Pairs) -> list[HookPair]:
    sides = (tests.text[pairs.first].tolist(), tests.text[pairs.second].tolist())
    return [(tests.headlines[first], tests.headlines[second]) for first, second in zip(*sides, strict=True)]
