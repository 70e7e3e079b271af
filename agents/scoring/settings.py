"""Which drafts are good enough."""

from __future__ import annotations

from pydantic import Field

from streams.settings import SettingsGroup


class ScoringSettings(SettingsGroup):
    """Which drafts are good enough."""

    quality_threshold: float = Field(
        0.78,
        ge=0,
        le=1,
        description="Least quality score that passes; a quality model shifts it so that as many drafts do.",
    )
