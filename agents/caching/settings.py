"""Where answers of models are kept, and for how long."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from streams.settings import SettingsGroup


class CachingSettings(SettingsGroup):
    """Where answers of models are kept, and for how long."""

    llm_cache: Literal["off", "memory", "postgres"] = Field(
        "memory", description="Where answers of models are kept for the same question: in the worker, or shared."
    )
    llm_cache_bytes: int = Field(64 * 2**20, ge=2**10, description="Bytes of answers that the cache keeps.")
    llm_cache_ttl_s: float = Field(
        7 * 86_400.0, gt=0, le=366 * 86_400, description="Age up to which an answer is used."
    )
    llm_semantic_reuse: float | None = Field(
        None,
        ge=0.5,
        le=1,
        description="Cosine similarity from which an answer serves a similar question too; empty: never.",
    )
