"""The features of hooks: three blocks, made of the text alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from agents.learning.evidence.headline_tests import Floats
from agents.learning.features.encoder import Vectors, encoder
from agents.learning.features.ngrams import Runs, character_runs, word_runs
from agents.learning.features.style import style_of


@dataclass(frozen=True, slots=True)
class HookFeatures:
    """Runs of words and of characters, style (texts, STYLE), and vectors of meaning (layers, texts, dimensions)."""

    words: Runs
    characters: Runs
    style: Floats
    vectors: Vectors


def features_of(texts: Sequence[str], layers: int) -> HookFeatures:
    """Return the features of some hooks; up to `layers` of the encoder; 0: its tokens' own vectors, fast."""
    return HookFeatures(word_runs(texts), character_runs(texts), style_of(texts), encoder().vectors(texts, layers))
