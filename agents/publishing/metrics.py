"""What a worker tells of its publishing."""

from __future__ import annotations

from agents.publishing.watchdog_metrics import WATCHDOG_METRICS
from streams.metrics import Metric

PUBLISHING_OPEN = Metric(
    "publishing_open", "gauge", ("state",), "Publications that are not at an end, by the state of the part at work."
)
PUBLISHING_STATES = Metric(
    "publishing_states_total", "counter", ("state",), "States that parts of publications went into, by state."
)
PUBLISHING_OVERDUE = Metric(
    "publishing_overdue_seconds", "gauge", (), "How long the post is overdue that was due first, seconds; 0 for none."
)
PUBLISHING_DOUBT = Metric(
    "publishing_unconfirmed_seconds",
    "gauge",
    (),
    "How long it is not known of a post whether it is there, of the one that is so longest, seconds; 0 for none.",
)
PUBLISHING_STUCK = Metric(
    "publishing_stuck", "gauge", (), "Posts that are overdue or in doubt for longer than THREADS_PUBLISH_STUCK_S."
)
PUBLISHING_CALLS = Metric(
    "publishing_calls_total",
    "counter",
    ("call", "outcome"),
    "Calls to platforms, by what was asked (create_container, container, publish, find, ...) and ok or the fault.",
)

METRICS = (
    PUBLISHING_OPEN,
    PUBLISHING_STATES,
    PUBLISHING_OVERDUE,
    PUBLISHING_DOUBT,
    PUBLISHING_STUCK,
    PUBLISHING_CALLS,
    *WATCHDOG_METRICS,
)
