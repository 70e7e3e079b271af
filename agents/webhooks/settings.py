"""How webhooks are signed, tried again and given up."""

from __future__ import annotations

from pydantic import Field, SecretStr

from streams.settings import SettingsGroup


class WebhookSettings(SettingsGroup):
    """How webhooks are signed, tried again and given up."""

    webhooks_key: SecretStr | None = Field(
        None,
        min_length=32,
        description="Key that the secrets of webhooks follow from, the same for all; empty: webhooks.key in the home.",
    )
    webhooks_allow_private: bool | None = Field(
        None, description="Deliver to private and loopback addresses too; empty: where Kafka is the embedded one."
    )
    webhooks_timeout_s: float = Field(10.0, gt=0, le=60, description="Time a receiver of webhooks has to answer.")
    webhooks_attempts: int = Field(
        16, ge=1, le=100, description="Attempts after which a webhook becomes a dead letter."
    )
    webhooks_give_up_after_s: float = Field(
        86_400.0, gt=0, description="Time after which a webhook becomes a dead letter."
    )
    webhooks_first_retry_s: float = Field(
        5.0, gt=0, le=3_600, description="Wait before a webhook's second attempt; it doubles with each one."
    )
    webhooks_longest_retry_s: float = Field(
        14_400.0, gt=0, le=86_400, description="Greatest wait between two attempts of a webhook."
    )
    webhooks_at_once: int = Field(4, ge=1, le=64, description="Deliveries to one subscription that are under way.")
    webhooks_waiting: int = Field(
        20_000, ge=1, description="Deliveries that may wait for one subscription; what comes then is a dead letter."
    )
    webhooks_subscriptions: int = Field(100, ge=1, le=1_000, description="Subscriptions that a tenant may have.")
    webhooks_kpi_interval_s: float = Field(
        60.0, ge=0, description="Least time between two kpi.updated of a persona's window; the newest is sent."
    )
