"""A worker's metrics: what its loops and their stages tell of themselves at the moment of a scrape."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable, Iterator
from importlib.metadata import version
from itertools import accumulate

import psutil
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.registry import Collector

from streams.engine.asking import asked
from streams.engine.loop import CheckpointedLoop
from streams.engine.readings import Reading
from streams.metrics import PROCESS_CPU, PROCESS_MEMORY, PROCESS_START, WORKER_BUILD, Metric

DISTRIBUTION = "threads-agent-stack"
INFINITE = "+Inf"
ANSWER_TIMEOUT_S = 5.0  # below Prometheus's scrape time-out, so that the reason is told


def families(readings: Iterable[Reading]) -> Iterator[Family]:
    """Yield a family for each metric, in the order in which the metrics come first."""
    by_metric: dict[Metric, list[Reading]] = {}
    for reading in readings:
        by_metric.setdefault(reading.metric, []).append(reading)
    for metric, values in by_metric.items():
        yield _family(metric, values)


def _family(metric: Metric, readings: Iterable[Reading]) -> Family:
    """Return the family of a metric; counters are told with or without _total, it comes once."""
    if metric.type == "histogram":
        histogram = HistogramMetricFamily(metric.name, metric.help, labels=metric.labels)
        for each in readings:
            bounds = (*map(str, metric.buckets), INFINITE)
            cumulative = zip(bounds, map(float, accumulate(each.counts)), strict=True)
            histogram.add_metric(each.labels, list(cumulative), each.value)
        return histogram
    kind = CounterMetricFamily if metric.type == "counter" else GaugeMetricFamily
    family = kind(metric.name, metric.help, labels=metric.labels)
    for each in readings:
        family.add_metric(each.labels, each.value)
    return family


def process_readings() -> Iterator[Reading]:
    """Yield what this process is and takes."""
    me = psutil.Process()
    with me.oneshot():
        times = me.cpu_times()
        yield Reading(PROCESS_CPU, (), times.user + times.system)
        yield Reading(PROCESS_MEMORY, (), me.memory_info().rss)
        yield Reading(PROCESS_START, (), me.create_time())
    yield Reading(WORKER_BUILD, (version(DISTRIBUTION),), 1)


class WorkerCollector(Collector):
    """Asks loops on their event loop's thread, each time it is scraped on another.

    Only the asking is done on the event loop; a scraper that reads slowly keeps none but its own thread.
    """

    def __init__(self, event_loop: asyncio.AbstractEventLoop, answer_timeout_s: float = ANSWER_TIMEOUT_S) -> None:
        self._event_loop = event_loop
        self._answer_timeout_s = answer_timeout_s
        self._loops: list[CheckpointedLoop] = []
        self._constant: list[Reading] = []
        self._shown: list[Collector] = []

    def state(self, reading: Reading) -> None:
        """Tell a reading that stays as it is."""
        self._constant.append(reading)

    @contextlib.contextmanager
    def watching(self, loops: Iterable[CheckpointedLoop]) -> Iterator[None]:
        """Ask these loops, too, while the context lasts: they run from before it until after it."""
        added = list(loops)
        self._loops += added
        try:
            yield
        finally:
            self._loops = [loop for loop in self._loops if loop not in added]

    @contextlib.contextmanager
    def showing(self, collectors: Iterable[Collector]) -> Iterator[None]:
        """Show what these collect, too, while the context lasts; they are asked on the scrape's thread."""
        added = list(collectors)
        self._shown += added
        try:
            yield
        finally:
            self._shown = [each for each in self._shown if each not in added]

    def collect(self) -> Iterable[Family]:
        """Return the families of now.

        Raises:
            Unavailable: the event loop does not answer in time; it hangs, or is gone.
        """
        own = families([*self._ask(), *process_readings()])
        return [*own, *(family for each in self._shown for family in each.collect())]

    def _ask(self) -> list[Reading]:
        return asked(
            self._event_loop,
            lambda: [*self._constant, *(each for loop in self._loops for each in loop.readings())],
            self._answer_timeout_s,
        )
