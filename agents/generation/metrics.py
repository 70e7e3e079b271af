"""What a worker tells of the generation under way in it, as it is now."""

from __future__ import annotations

from streams.metrics import Metric

GENERATION_BOUND = Metric("generation_bound", "gauge", (), "Bursts of drafts that may be under way in the worker.")
GENERATION_UNDER_WAY = Metric("generation_under_way", "gauge", (), "Bursts of drafts that are under way.")
GENERATION_WAITING = Metric("generation_waiting", "gauge", (), "Bursts of drafts that wait for their turn.")
GENERATION_OLDEST = Metric(
    "generation_oldest_seconds",
    "gauge",
    (),
    "Age of the request that has been under way longest, seconds; 0 where none is.",
)
GENERATION_PARKED = Metric(
    "generation_parked_requests", "gauge", (), "Requests over budget that wait for their period to end."
)
GENERATION_REQUESTS = Metric(
    "generation_requests_total",
    "counter",
    ("outcome",),
    "Requests that came to an end in the worker: in_time, late (after THREADS_REQUEST_TIME_S), dead_lettered.",
)

METRICS = (
    GENERATION_BOUND,
    GENERATION_UNDER_WAY,
    GENERATION_WAITING,
    GENERATION_OLDEST,
    GENERATION_PARKED,
    GENERATION_REQUESTS,
)
