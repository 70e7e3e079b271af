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


class ThresholdSettings(SettingsGroup):
    """From when on the business is alarming; the defaults are those of the system that this one follows."""

    alert_engagement_rate: float = Field(
        0.04, ge=0, le=1, description="Alert EngagementRateLow: least engagement rate of a persona."
    )
    alert_cost_per_follow_dollars: float = Field(
        0.02, ge=0, description="Alert CostPerFollowHigh: greatest cost of a persona by its follows."
    )
    alert_revenue_target_dollars: float = Field(
        20_000, ge=0, description="Alert RevenueLow: revenue that is wanted a month."
    )
    alert_revenue_share: float = Field(
        0.8, gt=0, le=1, description="Alert RevenueLow: share of the target under which it fires."
    )
    alert_quality: float = Field(0.6, ge=0, le=1, description="Alert QualityLow: least mean quality of drafts.")
    alert_spend_dollars_per_hour: float = Field(
        5.0, ge=0, description="Alert SpendHigh: greatest cost of model calls in an hour."
    )
