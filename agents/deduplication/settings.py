"""From which similarity a draft is a duplicate."""

from __future__ import annotations

from pydantic import Field

from streams.settings import SettingsGroup


class DeduplicationSettings(SettingsGroup):
    """From which similarity a draft is a duplicate."""

    duplicate_similarity: float | None = Field(
        None,
        ge=0,
        le=1,
        description="Similarity from which a draft repeats its own persona; empty: fitted to the embedder (blend .78).",
    )
    duplicate_similarity_across: float | None = Field(
        None,
        ge=0,
        le=1,
        description="Similarity from which a draft repeats another persona; empty: fitted to the embedder (blend .92).",
    )
