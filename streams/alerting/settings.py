"""Thresholds of the engine's alerts, and what is changed about the alerts of all."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StringConstraints, field_validator
from pydantic_settings import NoDecode

from streams.settings import SettingsGroup

Duration = Annotated[str, StringConstraints(pattern=r"^([1-9][0-9]*|0)(s|m|h|d)$")]


class AlertingSettings(SettingsGroup):
    """Thresholds of the engine's alerts, and what is changed about the alerts of all."""

    alert_lag_records: int = Field(
        1_000, ge=0, description="Alert ConsumerLag: records that a role is behind on a topic."
    )
    alert_lag_s: int = Field(300, ge=1, description="Alert ConsumerLagTime: seconds that a role is behind on a topic.")
    alert_stuck_s: int = Field(
        120, ge=10, description="Alert WorkerStuck: seconds without progress while records wait as long."
    )
    alert_dead_letters: int = Field(
        0, ge=0, description="Alert DeadLetters: dead letters of a role and topic in ten minutes that are no alarm."
    )
    alert_http_slow_s: float = Field(2.0, gt=0, description="Alert HttpSlow: 95th percentile of the answer time, s.")
    alert_http_failed_share: float = Field(
        0.05, ge=0, lt=1, description="Alert HttpErrors: share of requests that the server fails to answer."
    )
    alert_http_objective: float = Field(
        0.99, gt=0.5, lt=1, description="Share of HTTP requests that must not fail: what burn rates are measured by."
    )
    alert_http_fast_objective: float = Field(
        0.99, gt=0.5, lt=1, description="Share of HTTP requests that must be answered within half a second."
    )
    alerts_for: dict[str, Duration] = Field(
        {}, description='Other durations until alerts fire, by their names: {"ConsumerLag": "10m"}.'
    )
    alerts_off: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="Alerts that are left out, with commas between."
    )
    runbooks_url: str = Field(
        "grafana/runbooks", description="Where the runbooks are: the URL or folder that alerts link to."
    )

    @field_validator("alerts_off", mode="before")
    @classmethod
    def _listed(cls, value: object) -> object:
        return [name.strip() for name in value.split(",") if name.strip()] if isinstance(value, str) else value
