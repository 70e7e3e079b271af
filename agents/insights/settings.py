"""How often posts and accounts are asked for, and with how many calls."""

from __future__ import annotations

from pydantic import Field

from streams.settings import SettingsGroup


class InsightsSettings(SettingsGroup):
    """How often posts and accounts are asked for, and with how many calls."""

    insights_least_s: float = Field(
        120.0, gt=0, le=86_400, description="Least time between two polls of a post's numbers, while it is young."
    )
    insights_most_s: float = Field(
        86_400.0, gt=0, le=7 * 86_400, description="Greatest time between two polls of a post's numbers."
    )
    insights_share: float = Field(
        0.1, gt=0, le=1, description="Share of a post's age between two polls, within those bounds."
    )
    insights_for_days: float = Field(
        90.0, gt=0, le=730, description="Age at which a post's numbers are asked for the last time, days."
    )
    insights_account_every_s: float = Field(
        900.0, gt=0, le=86_400, description="Time between two polls of an account's followers and clicks."
    )
    insights_click_days: int = Field(
        40, ge=2, le=90, description="UTC days back that clicks are asked for where they were not asked for in time."
    )
    insights_budget_share: float = Field(
        0.5, gt=0, le=1, description="Share of an account's calls that polls may use; the rest is for publishing."
    )
    insights_at_once: int = Field(8, ge=1, le=256, description="Polls of one account that are under way.")
    insights_concurrency: int = Field(32, ge=1, le=1_024, description="Polls of all accounts that are under way.")
    insights_first_retry_s: float = Field(
        2.0, gt=0, le=3_600, description="Wait of an account after a failed poll; it doubles with each one."
    )
    insights_longest_retry_s: float = Field(
        600.0, gt=0, le=86_400, description="Greatest wait of an account after failed polls."
    )
    insights_pause_s: float = Field(
        900.0,
        gt=0,
        le=86_400,
        description="Time until an account that was refused is tried again, unless it is changed before.",
    )
