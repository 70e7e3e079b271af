"""Off-policy evaluation: what another way of choosing would have brought, from a log of choices with propensities.

Inverse propensity scoring (IPS), its self-normalized form (SNIPS), and doubly robust estimation with a model of rewards
(Dudik, Langford and Li 2011; Swaminathan and Joachims 2015). Intervals are normal, by the delta method for SNIPS.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
_Z95 = 1.959964


@dataclass(frozen=True, slots=True)
class Logged:
    """Choices as they were logged, all shape (n,): `reward` of the chosen arm, its `propensity` then, and `target`.

    `target` is the probability with which the policy to be judged would have chosen that arm.
    """

    reward: Floats
    propensity: Floats
    target: Floats

    @property
    def weights(self) -> Floats:
        """Return how much more often the policy would have chosen so."""
        return np.asarray(self.target / self.propensity)


@dataclass(frozen=True, slots=True)
class Estimate:
    """The mean reward that a policy would have had, and its 95 % interval."""

    value: float
    interval: tuple[float, float]

    def holds(self, truth: float) -> bool:
        """Tell whether the interval holds a value."""
        return self.interval[0] <= truth <= self.interval[1]


def ips(log: Logged) -> Estimate:
    """Return the mean of rewards weighted by inverse propensity: without bias, of great variance where weights are."""
    return _of_mean(log.weights * log.reward)


def snips(log: Logged) -> Estimate:
    """Return the weighted mean: a bias that falls with n, of less variance."""
    weights = log.weights
    mean = float((weights * log.reward).sum() / weights.sum())
    around = weights * (log.reward - mean) / weights.mean()
    return _around(mean, float(around.std(ddof=1)) / np.sqrt(len(around)))


def doubly_robust(log: Logged, foretold: Floats, expected: Floats) -> Estimate:
    """Return the model's mean, corrected by what the log says of its errors: right where either of both is.

    `foretold` is the model's reward of the arm that was chosen, `expected` its mean under the policy; shapes (n,).
    """
    return _of_mean(expected + log.weights * (log.reward - foretold))


def _of_mean(values: Floats) -> Estimate:
    return _around(float(values.mean()), float(values.std(ddof=1)) / np.sqrt(len(values)))


def _around(value: float, error: float) -> Estimate:
    return Estimate(value, (value - _Z95 * error, value + _Z95 * error))
