"""The most probable weights of features, of pairs of posts: logistic regression, not below 0, drawn to the built-in."""

from __future__ import annotations

import math

import numpy as np

from agents.learning.quality.pairs import Floats, PostPairs
from agents.learning.quality.posts import FEATURES
from agents.scoring.weights import GATES, WEIGHTS

PRIOR_SLOPE = 3.0
PRIOR_SD = 2.0
"""Before any post is seen, a pair whose scores differ by .1 goes the better one's way with log odds of .3; the part of
each feature has this standard deviation. On drawn posts anything from .5 to 2 finds the planted weights; where features
mean nothing, `_kept` holds the weights where they are."""
_WIDE_SD = 20.0  # of the slope of a score as a whole
WEIGHT_DIGITS = 6
_ROUNDS = 100
_SWEEPS = 1000
_CONVERGED = 1e-12


def fitted_weights(pairs: PostPairs) -> dict[str, float] | None:
    """Return the weights by feature, at least 0 and 1 together, on 6 digits; None where no feature pays at all.

    The features with a gate keep their built-in weights: what a gate kept out was never published, so posts can't tell
    what it would have brought. So does a feature in which no pair differs.
    """
    moved = [
        number for number, name in enumerate(FEATURES) if name not in GATES and np.any(pairs.differences[:, number])
    ]
    if not moved:
        return dict(WEIGHTS)
    built_in = np.array([WEIGHTS[FEATURES[number]] for number in moved])
    differences = pairs.differences[:, moved]
    slopes = _slopes(differences, pairs.weights, PRIOR_SLOPE * built_in)
    total, share = math.fsum(slopes.tolist()), math.fsum(built_in.tolist())
    if total <= 0:
        return None
    kept = _kept(differences, pairs.weights, slopes, built_in)
    found = dict(WEIGHTS)
    for number, slope in zip(moved, slopes.tolist(), strict=True):
        name = FEATURES[number]
        found[name] += kept * (share * slope / total - WEIGHTS[name])
    return _rounded(found)


def _kept(differences: Floats, weights: Floats, slopes: Floats, built_in: Floats) -> float:
    """Return how much of the way from the built-in weights is gone, in [0, 1): 1 - degrees of freedom / chi squared.

    Chi squared is twice the log likelihood that the new directions gain over the built-in one at its best slope: where
    the posts say nothing it is about the degrees of freedom, and nothing moves (James and Stein's positive part).
    """
    margins = np.einsum("pf,f->p", differences, built_in)[:, None]
    best = _slopes(margins, weights, np.array([PRIOR_SLOPE]), _WIDE_SD)
    gained = 2 * (_unlikelihood(margins, weights, best) - _unlikelihood(differences, weights, slopes))
    freedom = len(built_in) - 1
    return max(1 - freedom / gained, 0.0) if gained > 0 else 0.0


def _slopes(differences: Floats, weights: Floats, prior: Floats, sd: float = PRIOR_SD) -> Floats:
    """Return the slopes b >= 0 that minimise sum w log(1 + exp(-d b)) + |b - prior|^2 / 2 sd^2, by Newton's method.

    It is strictly convex, so there is one minimum; sums by einsum come in one order, whatever the number of cores.
    """
    precision = 1 / sd**2
    slopes = prior.copy()
    value = _loss(differences, weights, prior, sd, slopes)
    for _ in range(_ROUNDS):
        wrong = 1 / (1 + np.exp(np.einsum("pf,f->p", differences, slopes)))
        gradient = precision * (slopes - prior) - np.einsum("p,pf->f", weights * wrong, differences)
        curvature = np.einsum("p,pf,pg->fg", weights * wrong * (1 - wrong), differences, differences)
        target = _bounded_minimum(curvature + precision * np.eye(len(prior)), gradient, slopes)
        step = 1.0
        while (
            there := _loss(differences, weights, prior, sd, slopes + step * (target - slopes))
        ) > value and step > _CONVERGED:
            step /= 2
        moved = step * (target - slopes)
        slopes, value = np.maximum(slopes + moved, 0.0), there
        if float(np.max(np.abs(moved), initial=0.0)) < _CONVERGED:
            break
    return slopes


def _loss(differences: Floats, weights: Floats, prior: Floats, sd: float, slopes: Floats) -> float:
    return _unlikelihood(differences, weights, slopes) + float(np.sum((slopes - prior) ** 2) / (2 * sd**2))


def _unlikelihood(differences: Floats, weights: Floats, slopes: Floats) -> float:
    margins = np.einsum("pf,f->p", differences, slopes)
    return float(np.einsum("p,p->", weights, np.logaddexp(0.0, -margins)))


def _bounded_minimum(curvature: Floats, gradient: Floats, start: Floats) -> Floats:
    """Return the x >= 0 with the least gradient (x - start) + (x - start) curvature (x - start) / 2, by coordinates."""
    found = start.copy()
    for _ in range(_SWEEPS):
        before = found.copy()
        for number in range(len(found)):
            slope = gradient[number] + float(np.sum(curvature[number] * (found - start)))
            found[number] = max(found[number] - slope / curvature[number, number], 0.0)
        if float(np.max(np.abs(found - before), initial=0.0)) < _CONVERGED:
            break
    return found


def _rounded(weights: dict[str, float]) -> dict[str, float]:
    """Return the weights on 6 digits, 1 together: what is lost or gained by it is the greatest one's."""
    found = {name: round(weight, WEIGHT_DIGITS) for name, weight in weights.items()}
    greatest = max(sorted(found), key=found.__getitem__)
    others = math.fsum(weight for name, weight in found.items() if name != greatest)
    return {**found, greatest: round(1 - others, WEIGHT_DIGITS)}
