"""Readings: what a stage or a loop can tell of itself at a moment, in terms of the metrics catalogue."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import get_args

from streams.engine.retry import BreakerState
from streams.metrics import Metric


@dataclass(frozen=True, slots=True)
class Reading:
    """A value of a metric of the catalogue; `labels` are the values of its labels, in the metric's order."""

    metric: Metric
    labels: tuple[str, ...]
    value: float

    def __post_init__(self) -> None:
        if len(self.labels) != len(self.metric.labels):
            raise ValueError(f"{self.metric.name} has the labels {self.metric.labels}, got values {self.labels}")


def breaker_readings(metric: Metric, labels: tuple[str, ...], now: BreakerState) -> Iterator[Reading]:
    """Yield 1 for the state a breaker is in and 0 for the others; the state is the metric's last label."""
    for state in get_args(BreakerState):
        yield Reading(metric, (*labels, state), float(state == now))
