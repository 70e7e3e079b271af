"""What turns texts into vectors."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from streams.settings import SettingsGroup


class EmbeddingSettings(SettingsGroup):
    """What turns texts into vectors."""

    embedder: Literal["blend", "wordllama", "ngram", "openai"] = Field(
        "blend", description="What compares drafts: wordllama by meaning, ngram by form, blend both, openai a provider."
    )
    embedding_model: str = Field("text-embedding-3-small", description="Model of the embedder openai.")
    embedding_dimensions: int = Field(
        512, ge=8, le=4096, description="Numbers that are kept of an embedding of the embedder openai."
    )
