"""A worker's metrics: what its loops and their stages tell of themselves at the moment of a scrape."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import time
from collections.abc import Callable, Iterable, Iterator

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.registry import Collector

from streams.engine.loop import CheckpointedLoop
from streams.engine.readings import Reading, breaker_readings
from streams.errors import Unavailable
from streams.metrics import WORKER_BREAKER_STATE, WORKER_CHECKPOINT_AGE, Metric

ANSWER_TIMEOUT_S = 5.0  # below Prometheus's scrape time-out, so that the reason is told


def loop_readings(loop: CheckpointedLoop, now: float) -> Iterator[Reading]:
    """Yield what a loop and its stage tell; `now` is on the loop's clock, seconds."""
    stage = loop.stage
    yield from breaker_readings(WORKER_BREAKER_STATE, (stage.name,), loop.breaker.state)
    yield Reading(WORKER_CHECKPOINT_AGE, (stage.name,), now - loop.progress_at)
    yield from stage.readings()


def gauge_families(readings: Iterable[Reading]) -> Iterator[Family]:
    """Yield a family of gauges for each metric, in the order in which the metrics come first."""
    by_metric: dict[Metric, list[Reading]] = {}
    for reading in readings:
        by_metric.setdefault(reading.metric, []).append(reading)
    for metric, values in by_metric.items():
        family = GaugeMetricFamily(metric.name, metric.help, labels=metric.labels)
        for reading in values:
            family.add_metric(reading.labels, reading.value)
        yield family


class WorkerCollector(Collector):
    """Asks loops on their event loop's thread, each time it is scraped on another.

    Only the asking is done on the event loop; a scraper that reads slowly keeps none but its own thread.
    """

    def __init__(
        self,
        event_loop: asyncio.AbstractEventLoop,
        monotonic: Callable[[], float] = time.monotonic,
        answer_timeout_s: float = ANSWER_TIMEOUT_S,
    ) -> None:
        self._event_loop = event_loop
        self._monotonic = monotonic
        self._answer_timeout_s = answer_timeout_s
        self._loops: list[CheckpointedLoop] = []
        self._constant: list[Reading] = []

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

    def collect(self) -> Iterable[Family]:
        """Return the families of now.

        Raises:
            Unavailable: the event loop does not answer in time; it hangs, or is gone.
        """
        return list(gauge_families(self._ask()))

    def _ask(self) -> list[Reading]:
        answer: concurrent.futures.Future[list[Reading]] = concurrent.futures.Future()

        def tell() -> None:
            if not answer.set_running_or_notify_cancel():
                return
            try:
                of_loops = [each for loop in self._loops for each in loop_readings(loop, self._monotonic())]
                answer.set_result([*self._constant, *of_loops])
            except Exception as error:  # noqa: BLE001 - it is the scrape's, not the event loop's
                answer.set_exception(error)

        try:
            self._event_loop.call_soon_threadsafe(tell)
        except RuntimeError as error:
            raise Unavailable("the worker has ended: its event loop is closed") from error
        try:
            return answer.result(self._answer_timeout_s)
        except concurrent.futures.TimeoutError as error:
            answer.cancel()
            raise Unavailable(
                f"the worker's event loop gave no readings within {self._answer_timeout_s:g} s: it is busy or hangs; "
                "see the worker's log"
            ) from error
