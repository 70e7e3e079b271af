"""Rewards of posts for tests: what a post of a style had brought at an age."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from schemas.records import HookChoice, HookReward

MORNING = datetime(2026, 3, 1, 9, tzinfo=UTC)


def reward(
    style: str,
    number: int,
    *,
    views: int = 400,
    engagements: int = 20,
    age_hours: int = 168,
    revision: int = 1,
    log_odds: float | None = None,
    persona_id: str = "nova",
    experiment_id: str | None = None,
    propensity: float = 0.5,
) -> HookReward:
    """Return the reward of post `number` of a style, published `number` hours after a morning."""
    published_at = MORNING + timedelta(hours=number)
    post_id = f"{style}-{number}"
    return HookReward(
        event_id=f"{post_id}/{age_hours}/{revision}",
        occurred_at=published_at + timedelta(hours=age_hours),
        persona_id=persona_id,
        causation_id=None,
        post_id=post_id,
        draft_id=f"draft of {post_id}",
        age_hours=age_hours,
        revision=revision,
        choice=HookChoice(
            style=style,
            propensity=propensity,
            arms_version=None,
            experiment_id=experiment_id,
            hook_log_odds=log_odds,
        ),
        published_at=published_at,
        views=views,
        engagements=engagements,
        simulated=False,
    )
