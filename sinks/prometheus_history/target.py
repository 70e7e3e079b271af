"""Prometheus as the target of a replay: the history of the KPI series, for the window that is shown."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

from schemas.records import KpiUpdate
from sinks.prometheus.settings import ExpositionSettings
from sinks.prometheus_history.open_metrics import OpenMetricsFile
from sinks.prometheus_history.remote_write import NoReceiver, RemoteWrite, SamplesRefused, Series
from sinks.prometheus_history.samples import by_series, samples_of
from streams.endpoints import resolve
from streams.engine.batch import Batch, RowBatch
from streams.engine.stage import Screened
from streams.errors import Unavailable
from streams.settings import Settings

FILE = "prometheus-history.om"
FIRST_REASONS = 3
logger = logging.getLogger(__name__)


class PrometheusHistory:
    """Samples of kpi.updates: sent to the server, or where it takes none written into a file in the home.

    A sample that the server has is left as it is, so that the same again changes nothing; one that it refuses, as too
    old for its `out_of_order_time_window` or because another value is there, is left out and told.
    """

    topics = ("kpi.updates",)

    def __init__(self, url: str | None, window: str, file: OpenMetricsFile, timeout_s: float) -> None:
        self._server = None if url is None else RemoteWrite(url, timeout_s)
        self._window = window
        self._file = file
        self._refused = 0
        self._in_file = 0

    async def open(self) -> None:
        """Nothing is asked yet."""

    async def screen(self, batch: Batch) -> Screened:
        """Take everything."""
        return Screened(batch)

    async def write(self, batches: Sequence[Batch]) -> None:
        """Write the samples of all updates of the window; raises Unavailable where server or disk are away."""
        updates = (row.record for batch in batches if isinstance(batch, RowBatch) for row in batch.rows)
        series = by_series(
            sample
            for update in updates
            if isinstance(update, KpiUpdate) and update.window == self._window
            for sample in samples_of(update)
        )
        if not series:
            return
        if self._server is not None:
            try:
                await self._send(self._server, series)
            except NoReceiver:
                logger.warning("Prometheus takes no remote write (--web.enable-remote-write-receiver enables it)")
                await self._server.close()
                self._server = None
            else:
                return
        await self._into_file(series)

    async def close(self) -> None:
        """Disconnect, and say what was left out or where the file is."""
        if self._server is not None:
            await self._server.close()
        if self._refused:
            logger.warning("Prometheus refused %d samples in all", self._refused)
        if self._in_file:
            logger.warning(
                "%d samples are in %s: `promtool tsdb create-blocks-from openmetrics %s DATA` makes blocks of them",
                self._in_file,
                self._file.path,
                self._file.path,
            )

    async def _send(self, server: RemoteWrite, series: Series) -> None:
        """Send samples; those that the server refuses are found by halves."""
        try:
            await server.write(series)
        except SamplesRefused as refusal:
            halves = _halves(series)
            if len(halves) == 1:
                self._refused += 1
                if self._refused <= FIRST_REASONS:
                    logger.warning("Prometheus refused a sample: %s", refusal)
                return
            for half in halves:
                await self._send(server, half)

    async def _into_file(self, series: Series) -> None:
        try:
            await asyncio.to_thread(self._file.write, series)
        except OSError as error:
            raise Unavailable(f"{self._file.path} can't be written: {error.strerror}") from error
        self._in_file += sum(map(len, series.values()))


def _halves(series: Series) -> list[Series]:
    """Cut series in two, one series by time; a single sample is left as it is."""
    names = list(series)
    if len(names) > 1:
        middle = len(names) // 2
        return [{name: series[name] for name in half} for half in (names[:middle], names[middle:])]
    [(name, values)] = series.items()
    if len(values) == 1:
        return [series]
    middle = len(values) // 2
    return [{name: values[:middle]}, {name: values[middle:]}]


def make(settings: Settings) -> PrometheusHistory:
    """Return the history of the server that is configured or embedded, else of a file in the home."""
    file = OpenMetricsFile(settings.home.absolute() / FILE)
    window = settings.of(ExpositionSettings).metrics_window
    return PrometheusHistory(resolve(settings).prometheus, window, file, settings.io_timeout_s)
