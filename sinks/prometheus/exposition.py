"""Exposition: from counters and KPI readings to the families of samples that /metrics shows."""

from __future__ import annotations

import threading
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.registry import Collector

from sinks.prometheus.increments import BUCKET, INFINITE, SUM_UNITS, CounterKey
from sinks.prometheus.kpi_readings import KpiReading
from sinks.prometheus.metrics import (
    COST_PER_FOLLOW,
    DRAFT_QUALITY,
    ENGAGEMENTS,
    ENGAGEMENTS_LAST_HOUR,
    GENERATION_LATENCY,
    LLM_COST,
    LLM_TOKENS,
    LLM_UNPRICED_CALLS,
    POSTS_ENGAGEMENT_RATE,
    POSTS_GENERATED,
    REVENUE_PROJECTION,
    VIRAL_POSTS,
)
from streams.metrics import Metric

MICROS_PER_DOLLAR = 1_000_000
PROJECTION_WINDOW = "30d"
LIFETIME = "lifetime"
LAST_HOUR = "1h"


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What is to be shown: counters summed over partitions, and the latest reading by (persona, window)."""

    counters: Mapping[CounterKey, int] = field(default_factory=dict)
    readings: Mapping[tuple[str, str], KpiReading] = field(default_factory=dict)


def snapshot_of(counters: Iterable[Mapping[CounterKey, int]], readings: Iterable[KpiReading]) -> Snapshot:
    """Add up the counters of all partitions, and take of each persona and window the latest reading of any."""
    sums: Counter[CounterKey] = Counter()
    for of_partition in counters:
        sums.update(of_partition)
    latest: dict[tuple[str, str], KpiReading] = {}
    for reading in readings:
        key = (reading.persona_id, reading.window)
        if key not in latest or latest[key].age_key < reading.age_key:
            latest[key] = reading
    return Snapshot(sums, latest)


class SnapshotCollector(Collector):
    """Shows the last snapshot; scraped on another thread than it is set on."""

    def __init__(self, window: str) -> None:
        self._window = window
        self._lock = threading.Lock()
        self._snapshot = Snapshot()

    def show(self, snapshot: Snapshot) -> None:
        """Replace what is shown."""
        with self._lock:
            self._snapshot = snapshot

    def collect(self) -> Iterator[Family]:
        with self._lock:
            snapshot = self._snapshot
        return families(snapshot, self._window)


def families(snapshot: Snapshot, window: str) -> Iterator[Family]:
    """Yield the families of the snapshot; ratios are those of `window`, and absent where there is none."""
    of_window = [each for each in snapshot.readings.values() if each.window == window]
    last_hour = [each for each in snapshot.readings.values() if each.window == LAST_HOUR]
    lifetime = [each for each in snapshot.readings.values() if each.window == LIFETIME]
    yield _gauge(POSTS_ENGAGEMENT_RATE, [((each.persona_id,), each.engagement_rate) for each in of_window])
    yield _gauge(COST_PER_FOLLOW, [((each.persona_id,), each.cost_per_follow_dollars) for each in of_window])
    yield _gauge(REVENUE_PROJECTION, [((), _projection_dollars(snapshot.readings.values()))])
    yield _gauge(VIRAL_POSTS, [((each.persona_id,), each.viral_posts) for each in lifetime])
    for metric in (POSTS_GENERATED, LLM_TOKENS, LLM_UNPRICED_CALLS):
        yield _counter(metric, [(key[1:], value) for key, value in snapshot.counters.items() if key[0] == metric.name])
    costs = [
        (key[1:], value / MICROS_PER_DOLLAR) for key, value in snapshot.counters.items() if key[0] == LLM_COST.name
    ]
    yield _counter(LLM_COST, costs)
    yield _counter(ENGAGEMENTS, _counts(lifetime))
    yield _gauge(ENGAGEMENTS_LAST_HOUR, _counts(last_hour))
    yield _histogram(GENERATION_LATENCY, snapshot.counters)
    yield _histogram(DRAFT_QUALITY, snapshot.counters)


def _counts(readings: Iterable[KpiReading]) -> list[tuple[tuple[str, ...], float]]:
    return [((each.persona_id, name), value) for each in readings for name, value in each.counts.items()]


def _projection_dollars(readings: Iterable[KpiReading]) -> float | None:
    known = [
        each.revenue_projection_monthly_micros
        for each in readings
        if each.window == PROJECTION_WINDOW and each.revenue_projection_monthly_micros is not None
    ]
    return sum(known) / MICROS_PER_DOLLAR if known else None


def _gauge(metric: Metric, samples: Sequence[tuple[tuple[str, ...], float | None]]) -> Family:
    family = GaugeMetricFamily(metric.name, metric.help, labels=metric.labels)
    for labels, value in sorted(samples, key=lambda sample: sample[0]):
        if value is not None:
            family.add_metric(labels, value)
    return family


def _counter(metric: Metric, samples: Sequence[tuple[tuple[str, ...], float]]) -> Family:
    family = CounterMetricFamily(
        metric.name, metric.help, labels=metric.labels
    )  # takes the name with or without _total
    for labels, value in sorted(samples):
        family.add_metric(labels, value)
    return family


def _histogram(metric: Metric, counters: Mapping[CounterKey, int]) -> Family:
    """Sum the observations below each bound; those counted under a bound of an earlier version go to the next above."""
    sums: dict[tuple[str, ...], float] = defaultdict(float)
    observed: dict[tuple[str, ...], list[tuple[float, int]]] = defaultdict(list)
    split = 1 + len(metric.labels)
    for key, value in counters.items():
        if key[0] != metric.name:
            continue
        labels, kind = key[1:split], key[split]
        if kind == BUCKET:
            observed[labels].append((float(key[split + 1]), value))
        else:
            sums[labels] += value / SUM_UNITS[kind]
    family = HistogramMetricFamily(metric.name, metric.help, labels=metric.labels)
    for labels, counts in sorted(observed.items()):
        cumulative = [
            (str(bound), float(sum(count for below, count in counts if below <= bound))) for bound in metric.buckets
        ]
        cumulative.append((INFINITE, float(sum(count for _, count in counts))))
        family.add_metric(labels, cumulative, sums[labels])
    return family
