"""Embeddings by meaning and by form at once: the similarity is the mean of both."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from agents.embedding.embedding import Embedded, Vectors, unit_rows
from agents.embedding.ngram_embedder import NgramEmbedder
from agents.embedding.wordllama_embedder import WordLlamaEmbedder

_WORD_DIMENSIONS, _NGRAM_DIMENSIONS = 128, 256  # more raise no figure of the report and cost time for each draft


class BlendedEmbedder:
    """WordLlama's vector and that of character runs side by side: their dot product is the mean of the two cosines.

    A draft must resemble in both: a pattern of words filled with another thing differs in meaning, and two Ukrainian
    posts that WordLlama takes for one differ in form.
    """

    blind_to_negation = True

    def __init__(self) -> None:
        self._parts = (WordLlamaEmbedder(_WORD_DIMENSIONS), NgramEmbedder(_NGRAM_DIMENSIONS))
        self.dimensions = _WORD_DIMENSIONS + _NGRAM_DIMENSIONS
        self.model = "+".join(part.model for part in self._parts)

    def vectors(self, texts: Sequence[str]) -> Vectors:
        """Return a row a text, shape (texts, dimensions)."""
        return unit_rows(np.concatenate([part.vectors(texts) for part in self._parts], axis=1))

    async def embed(self, texts: Sequence[str]) -> Embedded:
        """Return the vectors of some texts."""
        return Embedded(self.vectors(texts))

    async def close(self) -> None:
        """Nothing is open."""
