"""The predictor: the strength of a hook, the probability that one of two wins, and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from agents.learning.blocks import Centre, Scales, blocks_of
from agents.learning.calibration import probability
from agents.learning.evidence.headline_tests import Floats
from agents.learning.features.hook_features import HookFeatures, features_of
from agents.learning.features.ngrams import PLACES, WORD_RUNS, place_of, words_of
from agents.learning.features.style import STYLE

REASONS = 4
_WORTH_TELLING = 0.02


@dataclass(frozen=True, slots=True)
class Trained:
    """What a model learned from: how many tests and pairs, and a hash of each test's id, so that it is known again."""

    tests: int
    pairs: int
    test_hashes: frozenset[int]


@dataclass(frozen=True, slots=True)
class HookModel:
    """Weights of hashed runs, style and vectors; `slope` turns a difference of strengths into log odds of winning.

    `layers` of the encoder are used. `weights` has shape (2 * PLACES + style + vectors,).
    """

    layers: int
    scales: Scales
    centre: Centre
    weights: Floats
    slope: float
    trained: Trained

    def strengths(self, texts: Sequence[str]) -> Floats:
        """Return the strength of each hook, shape (texts,): differences count, in log odds of a click."""
        return self.strengths_of(features_of(texts, self.layers))

    def strengths_of(self, features: HookFeatures) -> Floats:
        """Return the strengths of hooks whose features are known."""
        return blocks_of(features, self.centre, self.scales).times(self.weights)

    def first_wins(self, first: Sequence[str], second: Sequence[str]) -> Floats:
        """Return for each two hooks the probability that readers prefer the first, should they clearly prefer one."""
        differing = list(dict.fromkeys((*first, *second)))
        strengths = dict(zip(differing, self.strengths(differing), strict=True))
        differences = np.array([strengths[one] - strengths[other] for one, other in zip(first, second, strict=True)])
        return probability(differences, self.slope)

    def reasons(self, texts: Sequence[str]) -> list[list[str]]:
        """Return why each hook is stronger or weaker than the others: the greatest parts of its strength, in log odds.

        Parts are told against the mean of the hooks; names are those of style, quoted words are the hook's own.
        """
        parts = self._parts(texts)
        mean = {name: sum(each.get(name, 0.0) for each in parts) / len(parts) for name in {n for p in parts for n in p}}
        told = []
        for each in parts:
            # a name that only other hooks have is no reason for this one
            differences = {name: self.slope * (value - mean[name]) for name, value in each.items()}
            greatest = sorted(differences.items(), key=lambda part: (-abs(part[1]), part[0]))[:REASONS]
            told.append([f"{name} {value:+.2f}" for name, value in greatest if abs(value) >= _WORTH_TELLING])
        return told

    def _parts(self, texts: Sequence[str]) -> list[dict[str, float]]:
        """Return what the strength of each hook is the sum of, by name."""
        features = features_of(texts, self.layers)
        blocks = blocks_of(features, self.centre, self.scales)
        words, characters, dense = np.split(self.weights, [PLACES, 2 * PLACES])
        style = blocks.dense[:, : len(STYLE)] * dense[: len(STYLE)]
        meaning = blocks.dense[:, len(STYLE) :] @ dense[len(STYLE) :]
        spelling = self.scales.characters * blocks.characters.times(characters)
        found = []
        for number, text in enumerate(texts):
            parts = {"meaning": float(meaning[number]), "spelling": float(spelling[number])}
            parts |= dict(zip(STYLE, style[number].tolist(), strict=True))
            row = blocks.words.rows == number
            places = dict(zip(blocks.words.places[row].tolist(), blocks.words.values[row].tolist(), strict=True))
            for run in _runs_of(text):
                place = place_of(run)
                parts[f'"{" ".join(run)}"'] = self.scales.words * places.get(place, 0.0) * float(words[place])
            found.append(parts)
        return found


def _runs_of(text: str) -> set[tuple[str, ...]]:
    words = words_of(text)
    return {tuple(words[start : start + length]) for length in WORD_RUNS for start in range(len(words) - length + 1)}
