"""The dashboard "Publishing": posts from approval to the platform, what is late or in doubt, and what came back."""

from __future__ import annotations

from collections.abc import Iterator

from agents.insights.metrics import (
    INSIGHTS_BUDGET_LEFT,
    INSIGHTS_FAILURES,
    INSIGHTS_OVERDUE,
    INSIGHTS_PAUSED,
    INSIGHTS_POLLS,
    INSIGHTS_POSTS,
)
from agents.publishing.metrics import (
    PUBLISHING_CALLS,
    PUBLISHING_DOUBT,
    PUBLISHING_OPEN,
    PUBLISHING_OVERDUE,
    PUBLISHING_STATES,
    PUBLISHING_STUCK,
)
from agents.publishing.watchdog_metrics import (
    ACCOUNT_STATE,
    ACCOUNT_TOKEN_EXPIRY,
    POSTS_HEALS,
    POSTS_LAST_PUBLISHED,
    POSTS_OPEN,
    POSTS_OVERDUE,
    POSTS_OVERDUE_OLDEST,
    POSTS_STUCK,
    POSTS_STUCK_OLDEST,
    POSTS_WATCHED,
)
from grafana import variables
from grafana.board import Board, Panel
from grafana.panels import Look, described, lines, number, rows, stacked_bars
from grafana.promql import greatest, least, per_minute, total, total_of_same
from grafana.sources import promql, sql
from grafana.targets import LATE_POSTS, TOKEN_SECONDS

ACCOUNT = ("account_id", "platform")
PAGE = "posts"
OF_SEVERAL = "Several watchdogs tell the same: the greatest is shown."


def _in_trouble() -> Iterator[Panel]:
    late = described(POSTS_OVERDUE, OF_SEVERAL, target=LATE_POSTS)
    yield number(Look("Overdue", late, "locale", 6, PAGE, 0, LATE_POSTS), promql(greatest(POSTS_OVERDUE), "posts"))
    stuck = described(POSTS_STUCK, OF_SEVERAL, target=LATE_POSTS)
    yield number(
        Look("Stuck or unconfirmed", stuck, "locale", 18, PAGE, 0, LATE_POSTS),
        promql(greatest(POSTS_STUCK, ("state",)), "{{state}}"),
    )
    yield lines(
        Look("Open posts by state", described(POSTS_OPEN, OF_SEVERAL), "locale", 12, PAGE),
        [promql(greatest(POSTS_OPEN, ("state",)), "{{state}}")],
    )
    oldest = f"{POSTS_OVERDUE_OLDEST.help} {POSTS_STUCK_OLDEST.help}"
    yield lines(
        Look("Longest overdue and longest stuck", oldest, "s", 12, PAGE),
        [
            promql(greatest(POSTS_OVERDUE_OLDEST), "overdue", "A"),
            promql(greatest(POSTS_STUCK_OLDEST), "stuck", "B"),
        ],
    )
    yield lines(
        Look("Heals", described(POSTS_HEALS, "Here a minute, of all watchdogs."), "cpm", 12, PAGE),
        [promql(per_minute(POSTS_HEALS, ("kind",)), "{{kind}}")],
    )
    yield lines(
        Look("Since the last post", described(POSTS_LAST_PUBLISHED, "Here how long ago."), "s", 6, PAGE),
        [promql(f"time() - {greatest(POSTS_LAST_PUBLISHED)}", "last post")],
    )
    yield lines(
        Look("Since the watchdog looked", described(POSTS_WATCHED, "Here how long ago."), "s", 6, PAGE),
        [promql(f"time() - {greatest(POSTS_WATCHED)}", "last look")],
    )


def _publisher() -> Iterator[Panel]:
    yield lines(
        Look("States", described(PUBLISHING_STATES, "Here a minute."), "cpm", 12, PAGE),
        [promql(per_minute(PUBLISHING_STATES, ("state",)), "{{state}}")],
    )
    yield lines(
        Look("Calls to platforms", described(PUBLISHING_CALLS, "Here a minute."), "cpm", 12, PAGE),
        [promql(per_minute(PUBLISHING_CALLS, ("call", "outcome")), "{{call}} {{outcome}}")],
    )
    yield lines(
        Look("Open at the publisher", described(PUBLISHING_OPEN, "Here of all workers."), "locale", 12, PAGE),
        [promql(total(PUBLISHING_OPEN, ("state",)), "{{state}}")],
    )
    longest = f"{PUBLISHING_OVERDUE.help} {PUBLISHING_DOUBT.help}"
    yield lines(
        Look("Longest at the publisher", longest, "s", 6, PAGE),
        [
            promql(greatest(PUBLISHING_OVERDUE), "overdue", "A"),
            promql(greatest(PUBLISHING_DOUBT), "unconfirmed", "B"),
        ],
    )
    yield lines(
        Look("Stuck at the publisher", described(PUBLISHING_STUCK, "Here of all workers."), "locale", 6, PAGE),
        [promql(total(PUBLISHING_STUCK), "posts")],
    )


def _accounts() -> Iterator[Panel]:
    expiry = described(ACCOUNT_TOKEN_EXPIRY, target=TOKEN_SECONDS)
    yield lines(
        Look("Tokens end in", expiry, "s", 12, PAGE, None, TOKEN_SECONDS),
        [promql(greatest(ACCOUNT_TOKEN_EXPIRY, ACCOUNT), "{{account_id}} {{platform}}")],
    )
    yield lines(
        Look("Accounts by state", described(ACCOUNT_STATE, "Here their number."), "locale", 12, PAGE),
        [promql(total_of_same(ACCOUNT_STATE, ("platform", "state")), "{{platform}} {{state}}")],
    )


def _posts() -> Iterator[Panel]:
    by_hour = "Posts that were published by hour, from table publications; those at the simulator stand apart."
    yield stacked_bars(Look("Published by hour", by_hour, "locale", 12, PAGE), sql("posts_by_hour", "time_series"))
    states = (
        "Parts of publications whose state changed in the time range, by the state that they have now, from table "
        "publications; first due: of those in the row."
    )
    yield rows(
        Look("Posts by state", states, "none", 12, PAGE),
        sql("publications_by_state"),
        {"first due": "dateTimeAsIso", "last change": "dateTimeAsIso"},
    )
    times = (
        "Of the posts published in the time range, from tables publications and drafts: median of the time from the "
        "draft's acceptance, and from when it was due; more than one call: posts that took several calls to publish."
    )
    seconds = dict.fromkeys(("accepted to published", "due to published", "due to published, p95"), "s")
    yield rows(
        Look("From accepted to published", times, "none", 12, PAGE),
        sql("time_to_publish"),
        seconds,
        {"persona": "posts?persona=${__data.fields.persona}"},
    )
    reasons = (
        "Posts that are not published, by state and reason, from table publications: what failed, what waits and for "
        "what, what nobody knows yet."
    )
    yield rows(
        Look("Not published, and why", reasons, "none", 12, PAGE), sql("posts_not_published"), {"last": "dateTimeAsIso"}
    )
    latest = "The 50 parts of publications that changed last in the time range, from table publications."
    yield rows(
        Look("Latest changes", latest, "none", 24, PAGE),
        sql("latest_publications"),
        {"changed": "dateTimeAsIso", "due": "dateTimeAsIso"},
        {"persona": "posts?persona=${__data.fields.persona}"},
    )


def _polls() -> Iterator[Panel]:
    yield lines(
        Look("Polls", described(INSIGHTS_POLLS, "Here a minute."), "cpm", 12, PAGE),
        [promql(per_minute(INSIGHTS_POLLS, ("platform", "of")), "{{platform}} {{of}}")],
    )
    yield lines(
        Look("Polls that failed", described(INSIGHTS_FAILURES, "Here a minute."), "cpm", 12, PAGE),
        [promql(per_minute(INSIGHTS_FAILURES, ("platform", "reason")), "{{platform}} {{reason}}")],
    )
    yield lines(
        Look("Posts followed", described(INSIGHTS_POSTS, "Here of all workers."), "locale", 6, PAGE),
        [promql(total(INSIGHTS_POSTS), "posts")],
    )
    yield lines(
        Look("Poll that waits longest", described(INSIGHTS_OVERDUE), "s", 6, PAGE),
        [promql(greatest(INSIGHTS_OVERDUE), "overdue")],
    )
    yield lines(
        Look("Accounts not asked with", described(INSIGHTS_PAUSED, "Here of all workers."), "locale", 6, PAGE),
        [promql(total(INSIGHTS_PAUSED, ("reason",)), "{{reason}}")],
    )
    yield lines(
        Look("Calls left", described(INSIGHTS_BUDGET_LEFT, "Here the fewest of all workers."), "locale", 6, PAGE),
        [promql(least(INSIGHTS_BUDGET_LEFT), "calls")],
    )


def _brought_back() -> Iterator[Panel]:
    polls = "Snapshots of totals that platforms told, by hour, of posts and of accounts, from table insights_snapshots."
    yield stacked_bars(Look("Snapshots by hour", polls, "locale", 12, PAGE), sql("snapshots_by_hour", "time_series"))
    engagement = (
        "Sum of the counts of engagement events by hour of their own time, kind and source, from table engagement: "
        "what is from a platform was brought back by polling it."
    )
    yield stacked_bars(
        Look("Engagement brought back", engagement, "locale", 12, PAGE), sql("engagement_by_hour", "time_series")
    )
    notices = (
        "Webhooks of platforms by what they tell, from table platform_notices; longest delay: from what happened to "
        "its arrival. Nothing depends on them."
    )
    yield rows(
        Look("Notices of platforms", notices, "none", 24, PAGE),
        sql("notices_by_kind"),
        {"last": "dateTimeAsIso", "longest delay": "s"},
    )


BOARD = Board(
    uid="publishing",
    title="Publishing",
    description="Posts from approval to the platform: what is late or in doubt, accounts, and engagement brought back.",
    variables=(variables.persona(),),
    rows={
        "In trouble, as the watchdog sees it": _in_trouble,
        "The publisher": _publisher,
        "Accounts": _accounts,
        "Posts": _posts,
        "Insights": _polls,
        "Brought back": _brought_back,
    },
)
