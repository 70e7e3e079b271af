"""Which response cache the settings ask for."""

from __future__ import annotations

import time

from agents.caching.postgres_cache import PostgresCache
from agents.caching.response_cache import MemoryCache, NoCache, ResponseCache
from agents.caching.semantic_reuse import SemanticReuse
from agents.caching.settings import CachingSettings
from agents.embedding.offline_embedders import WordLlamaEmbedder
from streams.endpoints import require_postgres
from streams.settings import Settings


def response_cache(settings: Settings) -> ResponseCache:
    """Return the cache of `llm_cache`, wrapped for semantic reuse only where `llm_semantic_reuse` is set.

    Raises:
        SettingsError: the cache is to be in PostgreSQL, and none is configured nor embedded.
    """
    wanted = settings.of(CachingSettings)
    if wanted.llm_cache == "off":
        return NoCache()
    if wanted.llm_cache == "postgres":
        cache: ResponseCache = PostgresCache(require_postgres(settings), wanted.llm_cache_bytes, wanted.llm_cache_ttl_s)
    else:
        cache = MemoryCache(wanted.llm_cache_bytes, wanted.llm_cache_ttl_s, clock=time.monotonic)
    if wanted.llm_semantic_reuse is None:
        return cache
    return SemanticReuse(cache, WordLlamaEmbedder(), wanted.llm_semantic_reuse)
