"""The alerts of publishing: what is late, stuck or in doubt, accounts, a watchdog that stopped, and what comes back."""

from __future__ import annotations

from agents.insights.metrics import INSIGHTS_OVERDUE
from agents.publishing.settings import PublishingSettings
from agents.publishing.watchdog_metrics import (
    ACCOUNT_STATE,
    ACCOUNT_TOKEN_EXPIRY,
    POSTS_LAST_PUBLISHED,
    POSTS_OVERDUE,
    POSTS_STUCK,
    POSTS_WATCHED,
)
from streams.alerting.alert import Alert, AlertGroup
from streams.settings import Settings

DAY_S = 86_400


def groups(settings: Settings) -> tuple[AlertGroup, ...]:
    """Return the alerts of publishing. Several watchdogs tell the same, so the greatest of their values counts."""
    wanted = settings.of(PublishingSettings)
    posts = (
        _overdue(wanted.publish_overdue_after_s),
        _stuck(wanted.publish_stuck_s),
        _unconfirmed(wanted.publish_stuck_s),
        _standstill(wanted.alert_standstill_s),
        _unwatched(wanted.alert_watchdog_s),
    )
    accounts = (_token_expires(wanted.alert_token_days), _account_blocked())
    return (AlertGroup("publishing", (*posts, *accounts, _insights_overdue(wanted.alert_insights_s))),)


def _overdue(after_s: float) -> Alert:
    return Alert(
        "PostsOverdue",
        "warning",
        f"Posts more than {after_s:g} s overdue",
        f"max({POSTS_OVERDUE.name}) > 0",
        "{{ $value }} posts are overdue",
        f"Posts were due more than {after_s:g} s ago, and healing them has not helped so far.",
        hold="5m",
    )


def _stuck(after_s: float) -> Alert:
    return Alert(
        "PostsStuck",
        "warning",
        f"Posts on their way to the platform for more than {after_s:g} s",
        f'max by (state) ({POSTS_STUCK.name}{{state!="unconfirmed"}}) > 0',
        "{{ $value }} posts are stuck in {{ $labels.state }}",
        f"Posts have been in {{{{ $labels.state }}}} for more than {after_s:g} s, and healing them has not helped so "
        "far.",
        hold="5m",
    )


def _unconfirmed(after_s: float) -> Alert:
    return Alert(
        "PostsUnconfirmed",
        "critical",
        f"Not known for more than {after_s:g} s whether posts are there",
        f'max({POSTS_STUCK.name}{{state="unconfirmed"}}) > 0',
        "Of {{ $value }} posts nobody knows whether they are there",
        "A call to publish had no clear answer, and reading back has not told what came of it. It is not called again "
        "before that is known.",
        hold="10m",
    )


def _standstill(after_s: float) -> Alert:
    return Alert(
        "PublishingStandstill",
        "critical",
        f"Posts are overdue and none was published for {after_s:g} s",
        f"max({POSTS_OVERDUE.name}) > 0 unless time() - max({POSTS_LAST_PUBLISHED.name}) <= {after_s:.12g}",
        "Nothing is published, and {{ $value }} posts are overdue",
        f"No post at all was published for {after_s:g} s although posts are overdue.",
        hold="5m",
    )


def _unwatched(after_s: float) -> Alert:
    return Alert(
        "PostsUnwatched",
        "critical",
        f"The watchdog has not looked for {after_s:g} s",
        f"time() - max({POSTS_WATCHED.name}) > {after_s:.12g}",
        "Nobody watches the posts",
        "The watchdog runs and does not look at the states of posts: what is stuck or late now would not be told.",
        hold="1m",
    )


def _token_expires(days: float) -> Alert:
    return Alert(
        "TokenExpires",
        "warning",
        f"A token of an account ends within {days:g} days",
        f"max by (account_id, platform) ({ACCOUNT_TOKEN_EXPIRY.name}) < {days * DAY_S:.12g}",
        "The token of {{ $labels.account_id }} ends in {{ $value | humanizeDuration }}",
        f"Tokens are refreshed by themselves long before; that of {{{{ $labels.account_id }}}} on "
        f"{{{{ $labels.platform }}}} was not, and ends within {days:g} days.",
        hold="10m",
    )


def _account_blocked() -> Alert:
    return Alert(
        "AccountBlocked",
        "critical",
        "A platform rejects the token of an account, or restricted it",
        f'max by (account_id, platform, state) ({ACCOUNT_STATE.name}{{state!="active"}}) == 1',
        "{{ $labels.account_id }} is {{ $labels.state }}",
        "Nothing is published with {{ $labels.account_id }} on {{ $labels.platform }} until somebody mends it.",
        hold="1m",
    )


def _insights_overdue(after_s: float) -> Alert:
    return Alert(
        "InsightsOverdue",
        "warning",
        f"Numbers of posts not asked for in {after_s:g} s after they were due",
        f"max({INSIGHTS_OVERDUE.name}) > {after_s:.12g}",
        "Numbers of a post have been due for {{ $value | humanizeDuration }}",
        "Engagement comes back late: polls fail, wait for the call budget, or nobody polls. Nothing is lost, as totals "
        "are asked for.",
        hold="15m",
    )
