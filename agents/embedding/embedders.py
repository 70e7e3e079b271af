"""Which embedder a setting names, and how it is made."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from agents.embedding.embedding import Embedder
from agents.embedding.offline_embedders import BlendedEmbedder, NgramEmbedder, WordLlamaEmbedder
from agents.embedding.openai_embedder import OpenAIEmbedder
from agents.embedding.settings import EmbeddingSettings
from agents.llm.client import LanguageModelClient
from agents.llm.provider import provider_of
from agents.llm.settings import CallSettings
from streams.errors import SettingsError
from streams.settings import Settings

OFFLINE: Mapping[str, Callable[[], Embedder]] = MappingProxyType(
    {"blend": BlendedEmbedder, "wordllama": WordLlamaEmbedder, "ngram": NgramEmbedder}
)
"""The embedders that run in this process, by the name in THREADS_EMBEDDER."""


def embedder_of(settings: Settings) -> Embedder:
    """Return the embedder that THREADS_EMBEDDER names.

    Raises:
        SettingsError: it needs a provider and none is configured.
    """
    wanted = settings.of(EmbeddingSettings)
    if wanted.embedder in OFFLINE:
        return OFFLINE[wanted.embedder]()
    if not (settings.openai_api_key or settings.openai_base_url):
        raise SettingsError(
            "THREADS_EMBEDDER=openai needs a provider: set OPENAI_API_KEY, or OPENAI_BASE_URL for a compatible server, "
            f"or choose one that runs here: {', '.join(OFFLINE)}"
        )
    client = LanguageModelClient(provider_of(settings), timeout_s=settings.of(CallSettings).llm_timeout_s)
    return OpenAIEmbedder(client, wanted.embedding_model, wanted.embedding_dimensions)
