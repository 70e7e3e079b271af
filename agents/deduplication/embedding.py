"""Embeddings of texts: unit vectors whose dot product is their similarity."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.float32]


class Embedder(Protocol):
    """Turns texts into vectors; `model` names what made them, `dimensions` their length."""

    model: str
    dimensions: int

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Return a row a text: float32 of length 1, rounded to what float16 holds, shape (texts, dimensions)."""
        ...


class WordLlamaEmbedder:
    """WordLlama's 256 dimensions from the model in its wheel: .1 ms a text, no network."""

    model = "wordllama-l2-supercat-256"
    dimensions = 256

    def __init__(self) -> None:
        import wordllama  # noqa: PLC0415 - importing it sets up logging: only where it is used, and after ours

        folder = Path(wordllama.__file__).parent
        self._model = wordllama.WordLlama.load(cache_dir=folder, dim=self.dimensions, disable_download=True)

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Return a row a text: float32 of length 1, rounded to what float16 holds, shape (texts, dimensions)."""
        if not texts:
            return np.empty((0, self.dimensions), dtype=np.float32)
        vectors = np.asarray(self._model.embed(list(texts), norm=False), dtype=np.float32)
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        # rounded, so that what was restored from state compares exactly as it did before
        return (vectors / np.where(lengths > 0, lengths, 1.0)).astype(np.float16).astype(np.float32)
