"""Training: weights from all pairs of all tests, and a slope from tests that the weights had not seen."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from agents.learning.blocks import BALANCED, Centre, Scales, blocks_of, centre_of
from agents.learning.calibration import fitted_slope, probability
from agents.learning.evidence.folds import FOLDS, fold_of_tests
from agents.learning.evidence.headline_tests import BadTests, Floats, HeadlineTests, Indexes, Marks
from agents.learning.evidence.pairs import Pairs, pairs_of
from agents.learning.evidence.weights import evidence_of
from agents.learning.features.hook_features import HookFeatures, features_of
from agents.learning.fitting import fitted
from agents.learning.model import HookModel, Trained

Step = Callable[[str], None]
SHIPPED_LAYERS = 6
LEAST_TESTS = 25


def silent(what: str) -> None:
    """Tell nobody what is done."""


@dataclass(frozen=True, slots=True)
class Unseen:
    """What models said of pairs of tests they had not seen: differences of strengths, and probabilities.

    The probability of a pair has a slope found on the other folds, so neither weights nor slope know its test.
    """

    differences: Floats
    first_wins: Floats
    slope: float


def train(
    tests: HeadlineTests, layers: int = SHIPPED_LAYERS, scales: Scales = BALANCED, step: Step = silent
) -> HookModel:
    """Return a model of all tests; `step` is told what is done next.

    Raises:
        BadTests: they are too few, or what they say of hooks holds for no other test.
    """
    count = len(np.unique(tests.test))
    if count < LEAST_TESTS:
        raise BadTests(f"{count} tests are too few to learn from; give {LEAST_TESTS} or more")
    step(f"encoding {len(tests.headlines):,} headlines")
    features = features_of(tests.headlines, layers)
    pairs = pairs_of(tests)
    unseen = cross_validated(tests, pairs, features, scales, step)
    if not unseen.slope:
        raise BadTests(f"nothing that {count} tests say of hooks holds for others of them; give more tests")
    step("fitting on all tests")
    centre = centre_of(features)
    weights = fitted(blocks_of(features, centre, scales), evidence_of(tests))
    hashes = frozenset(map(hash_of_test, tests.test_ids))
    return HookModel(layers, scales, centre, weights, unseen.slope, Trained(len(hashes), len(pairs), hashes))


def cross_validated(
    tests: HeadlineTests, pairs: Pairs, features: HookFeatures, scales: Scales, step: Step = silent
) -> Unseen:
    """Return what models of the other folds say of each pair; tests that share a headline are in one fold."""
    strengths = unseen_strengths(tests, features, scales, step)
    differences = strengths[pairs.first] - strengths[pairs.second]
    return _with_probabilities(differences, pairs, fold_of_tests(tests)[pairs.test])


def unseen_strengths(tests: HeadlineTests, features: HookFeatures, scales: Scales, step: Step = silent) -> Floats:
    """Return the strength of each arm's headline by a model that has not seen its test; shape (arms,)."""
    folds = fold_of_tests(tests)
    found = np.zeros(len(tests.test))
    for fold in range(FOLDS):
        step(f"fitting without fold {fold + 1} of {FOLDS}")
        strengths = _strengths_without(tests, folds == fold, features, scales)
        held_out = folds[tests.test] == fold
        found[held_out] = strengths[tests.text[held_out]]
    return found


def hash_of_test(test_id: str) -> int:
    """Return 63 bits that stand for a test's id."""
    return int.from_bytes(hashlib.sha256(test_id.encode()).digest()[:8], "big") >> 1


def _strengths_without(tests: HeadlineTests, left_out: Marks, features: HookFeatures, scales: Scales) -> Floats:
    known = tests.only(~left_out)
    if not len(known.test):
        return np.zeros(len(tests.headlines))
    blocks = blocks_of(features, _centre_without(known, features), scales)
    return blocks.times(fitted(blocks, evidence_of(known)))


def _centre_without(known: HeadlineTests, features: HookFeatures) -> Centre:
    seen = np.unique(known.text)
    return centre_of(HookFeatures(features.words, features.characters, features.style[seen], features.vectors[:, seen]))


def _with_probabilities(differences: Floats, pairs: Pairs, folds: Indexes) -> Unseen:
    clear = pairs.significant
    first_wins = np.full(len(pairs), 0.5)
    for fold in range(FOLDS):
        here = folds == fold
        slope = fitted_slope(differences[clear & ~here], pairs.z[clear & ~here])
        first_wins[here] = probability(differences[here], slope)
    return Unseen(differences, first_wins, fitted_slope(differences[clear], pairs.z[clear]))
