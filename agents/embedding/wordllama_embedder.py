"""Embeddings by meaning, offline: WordLlama's averaged word vectors from the model in its wheel."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from agents.embedding.embedding import Embedded, Vectors, unit_rows

WORDLLAMA_DIMENSIONS = 256


class WordLlamaEmbedder:
    """WordLlama's leading dimensions, up to 256: .1 ms a text, no network.

    Good for English; its tokens of other scripts are so short that all Ukrainian posts look alike (similarity over .8).
    """

    blind_to_negation = True

    def __init__(self, dimensions: int = WORDLLAMA_DIMENSIONS) -> None:
        import wordllama  # noqa: PLC0415 - importing it sets up logging: only where it is used, and after ours

        folder = Path(wordllama.__file__).parent
        self._model = wordllama.WordLlama.load(cache_dir=folder, dim=WORDLLAMA_DIMENSIONS, disable_download=True)
        self.dimensions = dimensions
        self.model = f"wordllama-l2-supercat-{dimensions}"

    def vectors(self, texts: Sequence[str]) -> Vectors:
        """Return a row a text, shape (texts, dimensions)."""
        if not texts:
            return np.empty((0, self.dimensions), dtype=np.float32)
        found = np.asarray(self._model.embed(list(texts), norm=False), dtype=np.float32)
        return unit_rows(found[:, : self.dimensions])  # trained so that a leading part is an embedding (Matryoshka)

    async def embed(self, texts: Sequence[str]) -> Embedded:
        """Return the vectors of some texts."""
        return Embedded(self.vectors(texts))

    async def close(self) -> None:
        """Nothing is open."""
