"""Evaluation: how often the predictor is right on tests that it has not seen, with intervals and what bounds it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from agents.learning.calibration import calibration_error
from agents.learning.evidence.ceiling import ceiling
from agents.learning.evidence.headline_tests import Floats, HeadlineTests, Indexes, Marks
from agents.learning.evidence.pairs import Pairs, pairs_of
from agents.learning.features.hook_features import features_of
from agents.learning.model import HookModel
from agents.learning.training import LEAST_TESTS, Step, cross_validated, hash_of_test, silent

RESAMPLES = 2000
GAPS = ((0.0, 0.25), (0.25, 0.5), (0.5, 1.0), (1.0, np.inf))
LEAST_SURE = (0.6, 0.7, 0.8)
_TIMED_PAIRS = 2000
_HALF = 0.5


@dataclass(frozen=True, slots=True)
class Share:
    """How many of some pairs were put in order, ties as half, and the interval that holds in 95 of 100 such samples."""

    name: str
    pairs: int
    accuracy: float | None
    interval: tuple[float, float] | None


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The figures of one file; `seen_tests` are those it learned from, cross-validated on the file.

    `compared` are the pairs of arms, and `first_wins` what is told of each.
    """

    tests: int
    seen_tests: int
    pairs: int
    significant: Share
    every: Share
    parts: list[Share]
    ece: float | None
    ece_every: float | None
    ceiling: float | None
    predictions_per_second: float
    left_out: dict[str, int]
    compared: Pairs
    first_wins: Floats


def evaluate(tests: HeadlineTests, model: HookModel, step: Step = silent) -> Evaluation:
    """Return the figures of a model on a file of tests.

    Pairs of tests that it learned from are judged by models of the same kind, each trained on the file's other folds.
    """
    pairs = pairs_of(tests)
    seen = np.array([hash_of_test(test_id) in model.trained.test_hashes for test_id in tests.test_ids])
    first_wins = predictions(tests, pairs, model, seen, step)
    clear = pairs.significant
    told = pairs.z != 0
    return Evaluation(
        tests=len(tests.test_ids),
        seen_tests=int(seen.sum()),
        pairs=len(pairs),
        significant=share_right("significant", pairs, first_wins, clear),
        every=share_right("all but ties", pairs, first_wins, told),
        parts=list(_parts(pairs, first_wins, clear)),
        ece=calibration_error(first_wins[clear], pairs.z[clear]),
        ece_every=calibration_error(first_wins[told], pairs.z[told]),
        ceiling=ceiling(tests, pairs, clear),
        predictions_per_second=speed_of(model, tests, pairs),
        left_out=tests.left_out,
        compared=pairs,
        first_wins=first_wins,
    )


def predictions(tests: HeadlineTests, pairs: Pairs, model: HookModel, seen: Marks, step: Step = silent) -> Floats:
    """Return the probability that the first of each pair wins, from what has not seen its test."""
    step(f"encoding {len(tests.headlines):,} headlines")
    features = features_of(tests.headlines, model.layers)
    strengths = model.strengths_of(features)
    texts = tests.text[pairs.first], tests.text[pairs.second]
    first_wins = 1 / (1 + np.exp(-model.slope * (strengths[texts[0]] - strengths[texts[1]])))
    if not seen.any():
        return np.asarray(first_wins)
    if seen.sum() < LEAST_TESTS:
        first_wins[seen[pairs.test]] = _HALF  # too few to learn from: nothing is known of them without having seen them
        return np.asarray(first_wins)
    part = tests.only(seen)
    unseen = cross_validated(part, pairs_of(part), features, model.scales, step)
    first_wins[seen[pairs.test]] = unseen.first_wins
    return np.asarray(first_wins)


def share_right(name: str, pairs: Pairs, first_wins: Floats, wanted: Marks) -> Share:
    """Return how many of the wanted pairs are in the order of their click rates; resampled by test, seed fixed."""
    if not wanted.any():
        return Share(name, 0, None, None)
    right = right_of(pairs, first_wins)[wanted]
    return Share(name, int(wanted.sum()), float(right.mean()), interval_by_test(right, pairs.test[wanted]))


def right_of(pairs: Pairs, first_wins: Floats) -> Floats:
    """Return 1 for each pair in the order of its click rates, .5 where it has no order, else 0."""
    return np.where(first_wins == _HALF, _HALF, (first_wins > _HALF) == (pairs.z > 0))


def interval_by_test(values: Floats, tests: Indexes) -> tuple[float, float]:
    """Return the 95 % interval of the mean of pairs' values; resampled by test, seed fixed."""
    _, numbers = np.unique(tests, return_inverse=True)
    sums, counts = np.bincount(numbers, values), np.bincount(numbers)
    drawn = np.random.default_rng(0).integers(0, len(counts), (RESAMPLES, len(counts)))
    low, high = np.quantile(sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1), [0.025, 0.975])
    return float(low), float(high)


def speed_of(model: HookModel, tests: HeadlineTests, pairs: Pairs) -> float:
    """Return pairs a second of processor time, each headline seen anew once, as `learning predict` would."""
    some = slice(0, _TIMED_PAIRS)
    texts: Sequence[list[str]] = [
        [tests.headlines[number] for number in tests.text[side[some]].tolist()] for side in (pairs.first, pairs.second)
    ]
    model.first_wins(texts[0][:1], texts[1][:1])  # what is loaded once is loaded
    started = time.process_time()
    model.first_wins(*texts)
    return len(texts[0]) / max(time.process_time() - started, 1e-9)


def _parts(pairs: Pairs, first_wins: Floats, clear: Marks) -> list[Share]:
    found = []
    if pairs.same_picture is not None:
        found.append(share_right("same picture", pairs, first_wins, clear & pairs.same_picture))
        found.append(share_right("another picture", pairs, first_wins, clear & ~pairs.same_picture))
    for low, high in GAPS:
        name = f"gap {low:.0%} to {high:.0%}" if np.isfinite(high) else f"gap over {low:.0%}"
        found.append(share_right(name, pairs, first_wins, clear & (pairs.gap >= low) & (pairs.gap < high)))
    sure = np.maximum(first_wins, 1 - first_wins)
    return found + [
        share_right(f"told {least:.0%} or more", pairs, first_wins, clear & (sure >= least)) for least in LEAST_SURE
    ]
