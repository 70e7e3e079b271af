"""Embeddings by form, in any language: counts of runs of characters, hashed into a vector of fixed length."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from agents.embedding.embedding import Embedded, Vectors, unit_rows
from agents.embedding.normalised_text import normalised

NGRAM_DIMENSIONS = 512
RUNS = (3, 4, 5)
_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)
_MIX = np.uint64(0xBF58476D1CE4E5B9)
_HALF = np.uint64(32)
_SIGN = np.uint64(1)


class NgramEmbedder:
    """Signed feature hashing of the runs of 3 to 5 characters of the normalised text, by the roots of their counts.

    Weinberger et al., "Feature Hashing for Large Scale Multitask Learning" (2009). Similar texts share many runs.
    """

    blind_to_negation = True

    def __init__(self, dimensions: int = NGRAM_DIMENSIONS) -> None:
        self.dimensions = dimensions
        self.model = f"character-ngrams-3-5-{dimensions}"

    def vectors(self, texts: Sequence[str]) -> Vectors:
        """Return a row a text, shape (texts, dimensions)."""
        found = np.zeros((len(texts), self.dimensions), dtype=np.float32)
        for row, text in enumerate(texts):
            hashes, counts = np.unique(_hashed_runs(f" {normalised(text) or text} "), return_counts=True)
            signs = np.where(hashes & _SIGN, 1.0, -1.0)
            places = (hashes >> _HALF) % np.uint64(self.dimensions)
            weights = signs * np.sqrt(counts)
            found[row] = np.bincount(places.astype(np.int64), weights=weights, minlength=self.dimensions)
        return unit_rows(found)

    async def embed(self, texts: Sequence[str]) -> Embedded:
        """Return the vectors of some texts."""
        return Embedded(self.vectors(texts))

    async def close(self) -> None:
        """Nothing is open."""


def _hashed_runs(text: str) -> NDArray[np.uint64]:
    """Return a 64-bit hash for each run of characters, the same on every machine."""
    codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype="<u4").astype(np.uint64)
    hashed = []
    for length in RUNS:
        count = max(0, len(codes) - length + 1)
        value = np.full(count, length, dtype=np.uint64)
        for place in range(length):
            value = (value ^ codes[place : place + count]) * _MULTIPLIER
            value ^= value >> _HALF
        hashed.append(value * _MIX)
    return np.concatenate(hashed)
