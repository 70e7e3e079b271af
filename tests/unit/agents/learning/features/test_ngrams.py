"""Hashed runs: the same on every machine, of one text only, and of length 1."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from agents.learning.features.ngrams import PLACES, Runs, character_runs, place_of, word_runs, words_of

PLACES_KEPT = [55866, 152910]
TEXTS = ["He didn’t quit", "", "He didn't quit!", "Чому він пішов 🙂"]


def _dense(runs: Runs) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    found = np.zeros((runs.texts, PLACES))
    found[runs.rows, runs.places] = runs.values
    return found


@pytest.mark.parametrize("runs_of", [word_runs, character_runs])
def test_a_text_has_the_same_runs_alone_and_among_others(runs_of: Callable[[list[str]], Runs]) -> None:
    together = _dense(runs_of(TEXTS))
    for number, text in enumerate(TEXTS):
        alone = _dense(runs_of([text]))
        assert np.array_equal(together[number], alone[0])
    lengths = np.linalg.norm(together, axis=1)
    assert lengths[[0, 2, 3]] == pytest.approx(1.0)


def test_words_signs_and_runs_of_words_have_places_of_their_own() -> None:
    assert words_of(TEXTS[2]) == ["he", "didn't", "quit", "!"]
    row = _dense(word_runs([TEXTS[2]]))[0]
    for run in (["he"], ["!"], ["didn't", "quit"], ["didn't", "quit", "!"]):
        assert row[place_of(run)] > 0
    assert row[place_of(["quit", "he"])] == 0
    assert np.count_nonzero(row) == 4 + 3 + 2


def test_places_never_change_because_models_are_kept() -> None:
    assert [place_of(["you"]), place_of(["this", "is"])] == PLACES_KEPT


def test_times_and_gathered_are_each_others_transpose() -> None:
    runs = word_runs(TEXTS)
    weights, scores = np.random.default_rng(1).normal(size=PLACES), np.array([1.0, 2.0, -1.0, 0.5])
    assert float(runs.times(weights) @ scores) == pytest.approx(float(runs.gathered(scores) @ weights))
