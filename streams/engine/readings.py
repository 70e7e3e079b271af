"""Readings: what a stage or a loop can tell of itself at a moment, in terms of the metrics catalogue."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from typing import get_args

from streams.engine.retry import BreakerState
from streams.metrics import Metric


@dataclass(frozen=True, slots=True)
class Reading:
    """A value of a metric of the catalogue; `labels` are the values of its labels, in the metric's order.

    Of a histogram `value` is the sum of what was observed, and `counts` how many fell under each bound but not the one
    before, the last those above all bounds.
    """

    metric: Metric
    labels: tuple[str, ...]
    value: float
    counts: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if len(self.labels) != len(self.metric.labels):
            raise ValueError(f"{self.metric.name} has the labels {self.metric.labels}, got values {self.labels}")
        expected = len(self.metric.buckets) + 1 if self.metric.type == "histogram" else 0
        if len(self.counts) != expected:
            raise ValueError(f"{self.metric.name} has {expected} counts of observations, got {len(self.counts)}")


class Observations:
    """A histogram that grows: how many observations fell under each bound of its metric, and their sum."""

    def __init__(self, metric: Metric) -> None:
        self._metric = metric
        self._counts = [0] * (len(metric.buckets) + 1)
        self._sum = 0.0

    def observe(self, value: float) -> None:
        """Count a value."""
        self._counts[bisect_left(self._metric.buckets, value)] += 1
        self._sum += value

    def reading(self, *labels: str) -> Reading:
        """Return what was observed until now."""
        return Reading(self._metric, labels, self._sum, tuple(self._counts))


def breaker_readings(metric: Metric, labels: tuple[str, ...], now: BreakerState) -> Iterator[Reading]:
    """Yield 1 for the state a breaker is in and 0 for the others; the state is the metric's last label."""
    for state in get_args(BreakerState):
        yield Reading(metric, (*labels, state), float(state == now))
