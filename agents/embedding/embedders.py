"""Which embedder a setting names, and how it is made; the best offline one is a blend of two."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

import numpy as np

from agents.embedding.embedding import Embedded, Embedder, Vectors, unit_rows
from agents.embedding.ngram_embedder import NgramEmbedder
from agents.embedding.openai_embedder import OpenAIEmbedder
from agents.embedding.wordllama_embedder import WordLlamaEmbedder
from agents.llm.client import LanguageModelClient
from agents.llm.provider import provider_of
from streams.errors import SettingsError
from streams.settings import Settings

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


OFFLINE: Mapping[str, Callable[[], Embedder]] = MappingProxyType(
    {"blend": BlendedEmbedder, "wordllama": WordLlamaEmbedder, "ngram": NgramEmbedder}
)
"""The embedders that run in this process, by the name in THREADS_EMBEDDER."""


def embedder_of(settings: Settings) -> Embedder:
    """Return the embedder that THREADS_EMBEDDER names.

    Raises:
        SettingsError: it needs a provider and none is configured.
    """
    if settings.embedder in OFFLINE:
        return OFFLINE[settings.embedder]()
    if not (settings.openai_api_key or settings.openai_base_url):
        raise SettingsError(
            "THREADS_EMBEDDER=openai needs a provider: set OPENAI_API_KEY, or OPENAI_BASE_URL for a compatible server, "
            f"or choose one that runs here: {', '.join(OFFLINE)}"
        )
    client = LanguageModelClient(provider_of(settings), timeout_s=settings.llm_timeout_s)
    return OpenAIEmbedder(client, settings.embedding_model, settings.embedding_dimensions)
