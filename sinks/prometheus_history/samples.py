"""KPI updates as samples of the series that the Prometheus sink shows now, each at the instant its window was taken."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from schemas.records import KpiUpdate
from sinks.prometheus.metrics import COST_PER_FOLLOW, POSTS_ENGAGEMENT_RATE, VIRAL_POSTS

JOB = "threads-agent-replay"  # tells these series from those that are scraped

Labels = tuple[tuple[str, str], ...]
"""Name and value of each label, in the order of the names; the metric's name is the label __name__."""


@dataclass(frozen=True, slots=True)
class Sample:
    """A value of a series at an instant, epoch milliseconds."""

    labels: Labels
    time_ms: int
    value: float


def samples_of(update: KpiUpdate) -> Iterator[Sample]:
    """Yield the samples of an update: of what it does not know there is none."""
    time_ms = round(update.window_end.timestamp() * 1000)
    values = (
        (POSTS_ENGAGEMENT_RATE, update.engagement_rate),
        (COST_PER_FOLLOW, update.cost_per_follow_dollars),
        (VIRAL_POSTS, update.viral_posts),
    )
    for metric, value in values:
        if value is not None:
            labels = (("__name__", metric.name), ("job", JOB), ("persona_id", update.persona_id))
            yield Sample(labels, time_ms, float(value))


def by_series(samples: Iterable[Sample]) -> Mapping[Labels, list[tuple[int, float]]]:
    """Return instants and values of each series, in order of time; of several at one instant the last."""
    found: dict[Labels, dict[int, float]] = {}
    for sample in samples:
        found.setdefault(sample.labels, {})[sample.time_ms] = sample.value
    return {labels: sorted(values.items()) for labels, values in sorted(found.items())}
