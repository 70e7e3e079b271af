"""What a worker tells of its insights."""

from __future__ import annotations

from streams.metrics import Metric

INSIGHTS_POLLS = Metric(
    "insights_polls_total",
    "counter",
    ("platform", "of"),
    "Times that a platform told the numbers of a post or of an account.",
)
INSIGHTS_FAILURES = Metric(
    "insights_failures_total",
    "counter",
    ("platform", "reason"),
    "Polls that failed, by what the platform said: away, throttled, token_rejected, restricted, permission_missing, "
    "not_there, refused, no_account.",
)
INSIGHTS_POSTS = Metric("insights_posts", "gauge", (), "Posts whose numbers are asked for again and again.")
INSIGHTS_OVERDUE = Metric(
    "insights_overdue_seconds",
    "gauge",
    (),
    "Time since the poll was due that waits longest, but for paused accounts, seconds.",
)
INSIGHTS_PAUSED = Metric(
    "insights_paused_accounts",
    "gauge",
    ("reason",),
    "Accounts that are not asked with until they are changed or the pause is over, by reason.",
)
INSIGHTS_BUDGET_LEFT = Metric(
    "insights_budget_left",
    "gauge",
    (),
    "Calls that the account with the fewest left may make at once; an hour's where no account was asked with yet.",
)

METRICS = (
    INSIGHTS_POLLS,
    INSIGHTS_FAILURES,
    INSIGHTS_POSTS,
    INSIGHTS_OVERDUE,
    INSIGHTS_PAUSED,
    INSIGHTS_BUDGET_LEFT,
)
