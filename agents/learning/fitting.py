"""Fitting: the most probable weights, by conjugate gradients."""

from __future__ import annotations

import numpy as np

from agents.learning.blocks import Blocks
from agents.learning.evidence.headline_tests import Floats
from agents.learning.evidence.weights import Evidence

_MOST_STEPS = 120
_CLOSE_ENOUGH = 1e-3


def fitted(blocks: Blocks, evidence: Evidence) -> Floats:
    """Return the weights that minimise what the evidence says against them plus half their square, shape (size,).

    This is the posterior mean of a Bayesian linear regression of log odds (Hestenes and Stiefel, 1952, for the steps).
    """
    weights = np.zeros(blocks.size)
    rest = blocks.gathered(evidence.pull)
    step, left = rest.copy(), float(rest @ rest)
    enough = left * _CLOSE_ENOUGH**2
    for _ in range(_MOST_STEPS):
        if left <= enough:
            break
        bent = step + blocks.gathered(evidence.times(blocks.times(step)))
        length = left / float(step @ bent)
        weights += length * step
        rest -= length * bent
        before, left = left, float(rest @ rest)
        step = rest + left / before * step
    return weights
