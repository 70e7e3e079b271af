"""The metrics catalogue: every series that any process exposes, a closed list; dashboards use no other.

Those of the engine stand here; agents and sinks bring theirs as entry points (`threads.metrics`), tuples of metrics.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.metadata import entry_points
from typing import Literal

ENTRY_POINTS = "threads.metrics"
MetricType = Literal["counter", "gauge", "histogram"]


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric: `name` as it is queried (a counter's with its _total; a histogram's without _bucket), in base units.

    `buckets` are the upper bounds of a histogram, without +Inf.
    """

    name: str
    type: MetricType
    labels: tuple[str, ...]
    help: str
    buckets: tuple[float, ...] = ()


# What every worker tells of itself, as it is now.
WORKER_BREAKER_STATE = Metric(
    "worker_breaker_state",
    "gauge",
    ("stage", "state"),
    "1 for the state of the breaker around what a stage needs: closed, open, half-open; 0 for the others.",
)
WORKER_CHECKPOINT_AGE = Metric(
    "worker_checkpoint_age_seconds",
    "gauge",
    ("stage",),
    "Time since a stage last folded a slice or took a checkpoint, seconds; an idle stage ages too.",
)
WORKER_ROLE_FAILING = Metric(
    "worker_role_failing",
    "gauge",
    ("role",),
    "1 for a role that the worker gave up, because it kept on ending whatever records came; 0 for one that runs.",
)

ENGINE_METRICS = (
    WORKER_BREAKER_STATE,
    WORKER_CHECKPOINT_AGE,
    WORKER_ROLE_FAILING,
)


@cache
def catalogue() -> tuple[Metric, ...]:
    """Return all metrics: the engine's, and those of all agents and sinks that are installed.

    Raises:
        ValueError: two of them have one name.
    """
    groups = sorted(entry_points(group=ENTRY_POINTS), key=lambda entry: entry.name)
    found: dict[str, Metric] = {}
    for metric in (*ENGINE_METRICS, *(each for group in groups for each in group.load())):
        if found.setdefault(metric.name, metric) is not metric:
            raise ValueError(f"the metric {metric.name} is declared twice: rename one of them")
    return tuple(found.values())
