"""Where the business series are shown, and of which window."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from streams.settings import SettingsGroup


class ExpositionSettings(SettingsGroup):
    """Where the business series are shown, and of which window."""

    metrics_host: str = Field(
        "127.0.0.1", description="Address that the Prometheus sink's /metrics listens on; 0.0.0.0 in a container."
    )
    metrics_port: int = Field(
        0, ge=0, le=65535, description="Port of the Prometheus sink's /metrics; 0 takes a free one."
    )
    metrics_window: Literal["1h", "24h", "7d", "30d", "lifetime"] = Field(
        "24h", description="Window of the business gauges."
    )
