"""The simulator of Threads: where it listens, its audience, and the times and quotas of the platform."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import Field, SecretStr

from agents.accounts.settings import AccountSettings
from streams.settings import Settings, SettingsGroup

ROLE_NAME = "simulator"
BY_KAFKA = (
    "THREADS_KAFKA is set: it is part of the embedded stack; run it by itself with `threads-agent worker simulator`"
)
BY_API = "THREADS_API_URL is set: posts go there"


class SimulatorSettings(SettingsGroup):
    """The simulator of Threads: where it listens, its audience, and the times and quotas of the platform."""

    simulator_host: str = Field(
        "127.0.0.1", description="Address that the simulator listens on; 0.0.0.0 in a container."
    )
    simulator_port: int = Field(
        0, ge=0, le=65535, description="Port of the simulator; 0 takes a free one and keeps it."
    )
    simulator_seed: int = Field(1, description="Seed of all that the simulator draws: audiences, delays, faults.")
    simulator_median_views: int = Field(
        2_500, ge=1, le=10**9, description="Views that half of the simulated posts get in the end."
    )
    simulator_audience_speed: float = Field(
        1.0, gt=0, le=10**6, description="How many times faster than real ones simulated posts get their engagement."
    )
    simulator_ready_s: float = Field(
        0.5, ge=0, le=3_600, description="Time that a container takes to be ready in the simulator, mostly."
    )
    simulator_slow_share: float = Field(
        0.05, ge=0, le=1, description="Share of containers that take long to be ready in the simulator."
    )
    simulator_slow_ready_s: float = Field(
        30.0, ge=0, le=86_400, description="Time that those containers take, the platform's advice being 30 s."
    )
    simulator_post_quota: int = Field(250, ge=0, description="Posts in a rolling day that the simulator takes.")
    simulator_reply_quota: int = Field(1_000, ge=0, description="Replies in a rolling day that the simulator takes.")
    simulator_delete_quota: int = Field(100, ge=0, description="Deletions in a rolling day that the simulator takes.")
    simulator_calls_per_impression: int = Field(
        4_800,
        ge=1,
        description="Calls of a user in a rolling day for each view of that day, at least 10 of which count.",
    )
    simulator_slow_answer_s: float = Field(
        5.0, ge=0, le=600, description="Time that an answer takes where the fault `slow` befalls it."
    )
    simulator_webhook_url: str | None = Field(
        None, pattern="^https?://[^/@]+", description="Where the simulator posts its webhooks; empty: nowhere."
    )
    simulator_webhook_verify_token: SecretStr | None = Field(
        None,
        description="Token of the handshake with which the simulator subscribes that address; empty: none is made.",
    )
    simulator_app_secret: SecretStr | None = Field(
        None,
        description="Secret of the simulated app, for OAuth and the signatures of webhooks; empty: that of "
        "THREADS_APP_SECRET, else `simulated-app-secret`, and OAuth takes any.",
    )

    def idle_roles(self, settings: Settings) -> Mapping[str, str]:
        if settings.of(AccountSettings).threads_api_url is not None:
            return {ROLE_NAME: BY_API}
        return {} if settings.kafka is None else {ROLE_NAME: BY_KAFKA}
