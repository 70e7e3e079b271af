"""What the watchdog tells of posts and accounts, as it sees them from outside of the publisher."""

from __future__ import annotations

from streams.metrics import Metric

POSTS_OPEN = Metric(
    "posts_open", "gauge", ("state",), "Parts of publications that have not come to an end, by their state."
)
POSTS_OVERDUE = Metric(
    "posts_overdue", "gauge", (), "Posts due for longer than THREADS_PUBLISH_OVERDUE_AFTER_S and not published."
)
POSTS_STUCK = Metric(
    "posts_stuck",
    "gauge",
    ("state",),
    "Posts in container_created, publishing or unconfirmed for longer than THREADS_PUBLISH_STUCK_S, by state.",
)
POSTS_OVERDUE_OLDEST = Metric(
    "posts_overdue_oldest_seconds", "gauge", (), "Time since the post that is overdue longest was due; 0 without one."
)
POSTS_STUCK_OLDEST = Metric(
    "posts_stuck_oldest_seconds",
    "gauge",
    (),
    "Time that the post that is stuck longest is in its state; 0 without one.",
)
POSTS_HEALS = Metric("posts_heals_total", "counter", ("kind",), "Heals that the watchdog asked for: overdue, stuck.")
POSTS_WATCHED = Metric(
    "posts_watchdog_round_timestamp_seconds",
    "gauge",
    (),
    "When the watchdog last looked at all states, in seconds since the epoch, UTC.",
)
POSTS_LAST_PUBLISHED = Metric(
    "posts_last_published_timestamp_seconds",
    "gauge",
    (),
    "When a post was last published, in seconds since the epoch, UTC; absent before the first.",
)
ACCOUNT_STATE = Metric(
    "platform_account_state",
    "gauge",
    ("account_id", "platform", "state"),
    "1 for the state that an account is in: active, token_rejected, restricted; 0 for the others.",
)
ACCOUNT_TOKEN_EXPIRY = Metric(
    "platform_account_token_expiry_seconds",
    "gauge",
    ("account_id", "platform"),
    "Time until the token of an account ends, seconds, negative afterwards; absent where it does not end.",
)

WATCHDOG_METRICS = (
    POSTS_OPEN,
    POSTS_OVERDUE,
    POSTS_STUCK,
    POSTS_OVERDUE_OLDEST,
    POSTS_STUCK_OLDEST,
    POSTS_HEALS,
    POSTS_WATCHED,
    POSTS_LAST_PUBLISHED,
    ACCOUNT_STATE,
    ACCOUNT_TOKEN_EXPIRY,
)
