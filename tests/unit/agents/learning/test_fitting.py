"""Fitting: the weights are those that linear algebra gives, and drawn tests are learned."""

from __future__ import annotations

import numpy as np
import pytest

from agents.learning.blocks import Blocks, Scales, blocks_of, centre_of
from agents.learning.evidence.pairs import pairs_of
from agents.learning.evidence.weights import Evidence, evidence_of
from agents.learning.features.hook_features import HookFeatures
from agents.learning.features.ngrams import PLACES, character_runs, word_runs
from agents.learning.features.style import style_of
from agents.learning.fitting import fitted
from tests.support.drawn_tests import draw_tests

NO_VECTORS = Scales(vectors=0)


def _features(texts: list[str]) -> HookFeatures:
    return HookFeatures(word_runs(texts), character_runs(texts), style_of(texts), np.zeros((1, len(texts), 2), "f4"))


def test_weights_solve_the_normal_equations() -> None:
    tests = draw_tests(tests=6).tests
    evidence = evidence_of(tests)
    dense = np.random.default_rng(5).normal(size=(len(tests.headlines), 7))
    empty = word_runs([""] * len(dense))
    blocks = Blocks(empty, empty, dense, Scales(words=0, characters=0))
    matrix = np.zeros((len(dense), len(dense)))
    np.add.at(matrix, (evidence.rows, evidence.columns), evidence.values)
    expected = np.linalg.solve(dense.T @ matrix @ dense + np.eye(7), dense.T @ evidence.pull)
    assert fitted(blocks, evidence)[2 * PLACES :] == pytest.approx(expected, rel=1e-2, abs=1e-4)


def test_what_words_are_worth_is_learned_from_tests_and_holds_for_others() -> None:
    drawn = draw_tests(tests=300, arms=3)
    known, unseen = np.arange(300) < 240, np.arange(300) >= 240
    features = _features(drawn.tests.headlines)
    blocks = blocks_of(features, centre_of(features), Scales(characters=0, style=0, vectors=0))
    strengths = blocks.times(fitted(blocks, evidence_of(drawn.tests.only(known))))
    pairs = pairs_of(drawn.tests)
    clear = pairs.significant & unseen[pairs.test]
    right = (strengths[pairs.first] > strengths[pairs.second]) == (pairs.z > 0)
    assert right[clear].mean() > 0.8


def test_without_evidence_all_weights_are_nothing() -> None:
    features = _features(["one", "two"])
    nothing = Evidence(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0), np.zeros(2))
    assert not fitted(blocks_of(features, centre_of(features), NO_VECTORS), nothing).any()
