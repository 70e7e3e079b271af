"""Embeddings by meaning from OpenAI or a compatible server: paid for, in any language."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np

from agents.embedding.embedding import Embedded, unit_rows
from agents.llm.client import LanguageModelClient
from streams.errors import SettingsError


class OpenAIEmbedder:
    """A provider's embeddings, cut to their leading `dimensions`.

    The models of the text-embedding-3 family are made to be cut (Matryoshka; OpenAI's guide to embeddings); for one
    that is not, `dimensions` must be its full length.
    """

    blind_to_negation = False

    def __init__(self, client: LanguageModelClient, model: str, dimensions: int) -> None:
        self._client = client
        self._asked = model
        self.dimensions = dimensions
        self.model = f"{model}-{dimensions}"

    async def embed(self, texts: Sequence[str]) -> Embedded:
        """Return the vectors of some texts; the client's faults pass through."""
        if not texts:
            return Embedded(np.empty((0, self.dimensions), dtype=np.float32))
        started = time.monotonic()
        answer = await self._client.embed(self._asked, texts)
        latency_ms = round((time.monotonic() - started) * 1000)
        length = answer.vectors.shape[1]
        if length < self.dimensions:
            raise SettingsError(
                f"{self._asked} gives {length} numbers a text, fewer than the {self.dimensions} asked for; "
                f"set THREADS_EMBEDDING_DIMENSIONS={length}"
            )
        return Embedded(unit_rows(answer.vectors[:, : self.dimensions]), answer.usage, answer.model, latency_ms)

    async def close(self) -> None:
        """Close the client's connections."""
        await self._client.close()
