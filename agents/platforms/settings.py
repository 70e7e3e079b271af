"""How platforms are called."""

from __future__ import annotations

from pydantic import Field

from streams.settings import SettingsGroup


class PlatformSettings(SettingsGroup):
    """How platforms are called."""

    platform_timeout_s: float = Field(
        20.0,
        gt=0,
        le=300,
        description="Time a platform has to answer a call; a post that takes longer is looked up.",
    )
    platform_connections: int = Field(
        100, ge=1, le=10_000, description="Connections that a worker has open to one platform."
    )
