"""Off-policy estimates against the truth: logs drawn from tests by one policy, another one judged by them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from agents.learning.bandit.off_policy import Estimate, Logged, doubly_robust, ips, snips
from tests.benchmarks.learning.arms_of_tests import Floats, TestArms

LOGS = 200
FLOOR = 0.1
_SHARPNESS = 8.0
_UNSURE = 0.15  # spread of what the logging policy believes, in log odds


@dataclass(frozen=True, slots=True)
class JudgedEstimator:
    """How an estimator of a policy's click rate did over many logs, in per cent of the true rate."""

    name: str
    bias: float
    error: float
    coverage: float
    logs: int
    choices: int


def judged_estimators(arms: TestArms, views: int = 40, logs: int = LOGS, seed: int = 0) -> Iterator[JudgedEstimator]:
    """Yield bias, root mean square error and coverage of the 95 % interval, each log of `views` choices a test.

    Logged is by what somebody believes who knows little; judged is the policy that follows the predictor.
    """
    chance = np.random.default_rng(seed)
    believed = np.where(arms.there, chance.normal(0, _UNSURE, arms.rate.shape), 0.0)
    logging, target = _softmax(believed, arms), _softmax(np.log(arms.foretold), arms)
    truth = float((target * arms.rate).sum(axis=1).mean())
    found: dict[str, list[Estimate]] = {"IPS": [], "SNIPS": [], "doubly robust": []}
    expected = (target * arms.foretold).sum(axis=1)
    for _ in range(logs):
        rows, log, chosen = _drawn_log(arms, logging, target, views, chance)
        found["IPS"].append(ips(log))
        found["SNIPS"].append(snips(log))
        found["doubly robust"].append(doubly_robust(log, arms.foretold[rows, chosen], expected[rows]))
    for name, estimates in found.items():
        values = np.array([each.value for each in estimates])
        yield JudgedEstimator(
            name,
            float(values.mean() / truth - 1),
            float(np.sqrt(np.mean((values / truth - 1) ** 2))),
            float(np.mean([each.holds(truth) for each in estimates])),
            logs,
            views * len(arms.rate),
        )


def _drawn_log(
    arms: TestArms, logging: Floats, target: Floats, views: int, chance: np.random.Generator
) -> tuple[np.ndarray[tuple[int], np.dtype[np.int64]], Logged, np.ndarray[tuple[int], np.dtype[np.int64]]]:
    rows = np.repeat(np.arange(len(arms.rate)), views)
    upto = np.cumsum(logging, axis=1)[rows]
    chosen = np.minimum((chance.random(len(rows))[:, None] > upto).sum(axis=1), arms.there.sum(axis=1)[rows] - 1)
    clicked = (chance.random(len(rows)) < arms.rate[rows, chosen]).astype(np.float64)
    return rows, Logged(clicked, logging[rows, chosen], target[rows, chosen]), chosen


def _softmax(values: Floats, arms: TestArms) -> Floats:
    """Return probabilities by test and arm, none under the floor's share."""
    greatest = np.where(arms.there, values, -np.inf).max(axis=1, keepdims=True)
    odds = np.where(arms.there, np.exp(_SHARPNESS * (values - greatest)), 0.0)
    even = arms.there / arms.there.sum(axis=1, keepdims=True)
    return np.asarray((1 - FLOOR) * odds / odds.sum(axis=1, keepdims=True) + FLOOR * even)
