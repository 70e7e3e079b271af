"""Rounding a matrix: what it gives stays close to what is wanted, by fewer inputs and small whole numbers."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from agents.learning.features.rounding import Moments, Rounded, rounded

TOKENS, INPUTS, OUTPUTS = 4000, 24, 8
Rows = NDArray[np.float32]


def _drawn() -> tuple[Rows, Rows, Rows]:
    """Return inputs that go together, as neurons do, a matrix, and what it gives plus 3."""
    dice = np.random.default_rng(3)
    given = (
        dice.normal(size=(TOKENS, INPUTS)) @ (np.eye(INPUTS) + 0.5 * dice.normal(size=(INPUTS, INPUTS))) + 1
    ).astype(np.float32)
    matrix = dice.normal(size=(INPUTS, OUTPUTS)).astype(np.float32)
    return given, matrix, given @ matrix + 3


def _moments(given: Rows, wanted: Rows) -> Moments:
    moments = Moments(given.shape[1], wanted.shape[1])
    for part in range(0, len(given), 1000):
        moments.add(given[part : part + 1000].reshape(10, 100, -1), wanted[part : part + 1000].reshape(10, 100, -1))
    return moments


def _missed(found: Rounded, given: Rows, wanted: Rows) -> float:
    told = given[:, found.kept] @ (found.codes * found.step) + found.shift
    return float(np.square(told - wanted).mean() / wanted.var())


def test_fine_steps_give_what_is_wanted_and_its_mean() -> None:
    given, matrix, wanted = _drawn()
    found = rounded(_moments(given, wanted), matrix, 0.001)
    assert _missed(found, given, wanted) < 1e-5
    assert np.allclose((given @ (found.codes * found.step) + found.shift).mean(axis=0), wanted.mean(axis=0), atol=1e-3)


def test_a_matrix_that_is_off_is_refitted() -> None:
    given, matrix, wanted = _drawn()
    assert _missed(rounded(_moments(given, wanted), matrix * 0.5, 0.001), given, wanted) < 1e-2


def test_an_error_of_rounding_is_made_up_for() -> None:
    given, matrix, wanted = _drawn()
    found = rounded(_moments(given, wanted), matrix, 0.5)
    plain = np.rint(matrix / found.step).astype(np.int32)
    shift = _moments(given, wanted).shift(plain * found.step, found.kept)
    assert _missed(found, given, wanted) < 0.7 * _missed(Rounded(plain, found.step, shift, found.kept), given, wanted)


def test_inputs_that_others_tell_are_dropped_at_no_cost() -> None:
    given, matrix, _ = _drawn()
    wanted = given @ matrix
    twice = np.concatenate([given, given + 1e-3], axis=1)
    found = rounded(_moments(twice, wanted), np.concatenate([matrix / 2, matrix / 2]), 0.001, keep=INPUTS)
    assert len(found.kept) == INPUTS
    assert len(set((found.kept % INPUTS).tolist())) > INPUTS - 4  # one of each two, but for what hardly counts
    assert _missed(found, twice, wanted) < 1e-2
