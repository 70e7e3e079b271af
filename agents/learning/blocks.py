"""Blocks: the features at the scale at which each weight is as likely large as any other, and their sums."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from agents.learning.evidence.headline_tests import Floats
from agents.learning.features.hook_features import HookFeatures
from agents.learning.features.ngrams import PLACES, Runs

_LITTLE = 1e-9


@dataclass(frozen=True, slots=True)
class Scales:
    """How much each block may say: the standard deviation of a weight before anything is seen. 0: the block is mute."""

    words: float = 0.1
    characters: float = 0.05
    style: float = 0.01
    vectors: float = 0.07


BALANCED = Scales()
"""The scales that cross-validation liked best."""


@dataclass(frozen=True, slots=True)
class Centre:
    """Where the features of the hooks learned from lie: means and spreads of style, means of the vectors by layer."""

    style_mean: Floats
    style_spread: Floats
    vector_means: Floats


@dataclass(frozen=True, slots=True)
class Blocks:
    """Features of texts, centred and scaled: `dense` holds style and then the vectors of each layer at length 1."""

    words: Runs
    characters: Runs
    dense: Floats
    scales: Scales

    @property
    def size(self) -> int:
        """The number of weights."""
        return 2 * PLACES + int(self.dense.shape[1])

    def times(self, weights: Floats) -> Floats:
        """Return the strength of each text, shape (texts,)."""
        words, characters, dense = np.split(weights, [PLACES, 2 * PLACES])
        strengths = np.asarray(self.dense @ dense)
        if self.scales.words:
            strengths = strengths + self.scales.words * self.words.times(words)
        if self.scales.characters:
            strengths = strengths + self.scales.characters * self.characters.times(characters)
        return strengths

    def gathered(self, scores: Floats) -> Floats:
        """Return the transposed product, shape (size,)."""
        words = self.scales.words * self.words.gathered(scores) if self.scales.words else np.zeros(PLACES)
        characters = (
            self.scales.characters * self.characters.gathered(scores) if self.scales.characters else np.zeros(PLACES)
        )
        return np.concatenate([words, characters, scores @ self.dense])


def centre_of(features: HookFeatures) -> Centre:
    """Return the centre of the hooks that are learned from."""
    means = features.vectors.mean(axis=1, dtype=np.float64)
    return Centre(features.style.mean(axis=0), features.style.std(axis=0) + _LITTLE, means)


def blocks_of(features: HookFeatures, centre: Centre, scales: Scales) -> Blocks:
    """Return features centred and scaled."""
    style = (features.style - centre.style_mean) / centre.style_spread
    vectors = features.vectors - centre.vector_means[:, None, :]
    vectors /= np.linalg.norm(vectors, axis=2, keepdims=True) + _LITTLE
    dense = np.concatenate([scales.style * style, *(scales.vectors * vectors)], axis=1)
    return Blocks(features.words, features.characters, dense, scales)
