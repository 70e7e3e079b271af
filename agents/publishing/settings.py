"""How posts are published."""

from __future__ import annotations

from pydantic import Field

from streams.settings import SettingsGroup


class PublishingSettings(SettingsGroup):
    """How posts are published."""

    publish_lead_s: float = Field(
        60.0,
        ge=0,
        le=3_600,
        description="Time before a post is due at which it is handed to the platform, unpublished.",
    )
    publish_first_look_s: float = Field(
        5.0, ge=0, le=600, description="Wait before the platform is asked for the first time whether a post is ready."
    )
    publish_look_s: float = Field(
        60.0, gt=0, le=600, description="Wait between two questions whether a post is ready; Threads asks for 60 s."
    )
    publish_ready_within_s: float = Field(
        300.0, gt=0, le=86_400, description="Time after which a post that is not ready is handed over anew."
    )
    publish_at_once: int = Field(2, ge=1, le=32, description="Publications of one account that are worked on at once.")
    publish_first_retry_s: float = Field(
        1.0, gt=0, le=600, description="Wait after the first failed call to a platform; it doubles with each one."
    )
    publish_longest_retry_s: float = Field(
        300.0, gt=0, le=86_400, description="Greatest wait between two calls to a platform that fails or throttles."
    )
    publish_reconcile_s: float = Field(
        5.0, gt=0, le=600, description="First wait before it is looked up whether a post is there; it doubles."
    )
    publish_grace_s: float = Field(
        30.0,
        ge=0,
        le=86_400,
        description="Time, beside twice the platform's time-out, that a call without an answer may still take effect.",
    )
    publish_outside_s: float = Field(
        10.0, gt=0, le=600, description="Wait before a post that waits for a person or an account is looked at again."
    )
    publish_quota_age_s: float = Field(
        60.0, ge=0, le=3_600, description="Age up to which what the platform said of its quota is good."
    )
    publish_stuck_s: float = Field(
        600.0, gt=0, description="Time after which a post whose outcome is open, or that is overdue, counts as stuck."
    )
    publish_within_h: float = Field(
        24.0,
        gt=0,
        le=8_760,
        description="Age of its decision at which a draft that the publisher sees first is not published any more.",
    )
    publish_proposal_days: int = Field(
        30, ge=1, le=365, description="Days after which a post that nobody has approved expires."
    )
    publish_remember_days: int = Field(
        400,
        ge=31,
        le=3_650,
        description="Days that an ended publication is remembered; older drafts are not published.",
    )
    publish_offline_text: bool = Field(
        default=False,
        description="Publish text of the offline model at the real platform too, not only at the simulator.",
    )
    publish_watch_interval_s: float = Field(
        1.0, gt=0, le=600, description="Time between two looks of the watchdog at the states of posts."
    )
    publish_overdue_after_s: float = Field(
        300.0, gt=0, description="Time after it was due from which a post that is not published counts as overdue."
    )
    publish_longest_heal_pause_s: float = Field(
        3_600.0, gt=0, description="Longest pause after which the watchdog asks again; it doubles up to that."
    )
    alert_token_days: float = Field(
        7.0, gt=0, description="Alert TokenExpires: days before the end of an account's token."
    )
    alert_standstill_s: float = Field(
        1_800.0,
        gt=0,
        description="Alert PublishingStandstill: time without any post published, while posts are overdue.",
    )
    alert_watchdog_s: float = Field(
        120.0, gt=0, description="Alert PostsUnwatched: time since the watchdog looked at the states of posts."
    )
    alert_insights_s: float = Field(
        900.0, gt=0, description="Alert InsightsOverdue: time that a poll of a post's numbers is overdue."
    )
