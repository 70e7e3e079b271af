"""The Prometheus stage: folds the log into series, as state that a restart finds again."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, ClassVar

from schemas.records import DraftDecided, DraftGenerated, KpiUpdate
from sinks.prometheus.exposition import SnapshotCollector, snapshot_of
from sinks.prometheus.increments import PartitionCounters, SeenDrafts, cost_increments, draft_increments
from sinks.prometheus.kpi_readings import KpiReading, KpiReadings
from sinks.prometheus.metrics import LLM_TOKENS
from sinks.surroundings.watch import Probe, Surroundings
from streams.engine.batch import Batch, ColumnBatch, Row, TopicPartition
from streams.engine.stage import Change, Effects, Part, Rejection, Stage
from streams.errors import RecordFault
from streams.metrics_server import MetricsServer

_COUNTER, _READING, _DRAFT = b"c", b"k", b"d"  # first byte of a state key


class SeriesPart(Part[Batch]):
    """The counters and readings that the records of a partition add up to, and the drafts counted already."""

    def __init__(self, state: Iterable[tuple[bytes, bytes]]) -> None:
        self.counters = PartitionCounters()
        self.readings = KpiReadings()
        self.is_shown = False  # what /metrics says of it is what is known
        self._drafts = SeenDrafts()
        drafts: list[tuple[str, int]] = []
        for key, value in state:
            kind, rest = key[:1], key[1:]
            if kind == _COUNTER:
                self.counters.restore(rest, value)
            elif kind == _READING:
                self.readings.restore(value)
            else:
                drafts.append((rest.decode(), int(value)))
        self._drafts.restore(drafts)

    async def add(self, batch: Batch) -> Sequence[Rejection]:
        self.is_shown = False
        if isinstance(batch, ColumnBatch):
            for offset, increments in cost_increments(batch.frame):
                self.counters.apply(offset, increments)
            return ()
        refused = (self._fold(row) for row in batch.rows)
        return [rejection for rejection in refused if rejection is not None]

    def _fold(self, row: Row[Any]) -> Rejection | None:
        record = row.record
        if isinstance(record, KpiUpdate):
            self.readings.apply(KpiReading.of(record, row.offset))
            return None
        assert isinstance(record, DraftGenerated | DraftDecided)
        draft = record.draft if isinstance(record, DraftDecided) else record
        if draft.latency_ms < 0:
            return _refused(row, f"expected latency_ms of at least 0, got {draft.latency_ms}")
        if isinstance(record, DraftDecided) and not 0.0 <= record.quality.score <= 1.0:  # not a number fails this too
            return _refused(row, f"expected a quality score from 0 to 1, got {record.quality.score}")
        if self._drafts.counts(draft.draft_id, row.offset):
            self.counters.apply(row.offset, draft_increments(record))
        return None

    def flush(self) -> Effects:
        changes: list[Change] = [(_COUNTER + key, value) for key, value in self.counters.changes()]
        changes += [(_READING + key, value) for key, value in self.readings.changes()]
        changes += [
            (_DRAFT + draft_id.encode(), None if offset is None else b"%d" % offset)
            for draft_id, offset in self._drafts.changes()
        ]
        return Effects(changes)


def _refused(row: Row[Any], reason: str) -> Rejection:
    return Rejection(row.offset, RecordFault(f"{reason}; correct it and send it again"))


class PrometheusStage(Stage[SeriesPart]):
    """Counters of drafts and model calls, and gauges of the latest KPI updates, at /metrics.

    What is shown changes at flushes only, and not before every assigned partition was restored: a counter that is seen
    to fall would be taken for a restart, and its increase counted twice. Several workers each show the series of their
    partitions; queries add them up. engagements_total and the gauges come from kpi.updates, so an engagement event that
    was sent twice is counted as often as the KPI state counts it: once.
    """

    name: ClassVar[str] = "sink-prometheus"
    topics: ClassVar[tuple[str, ...]] = (
        "drafts.generated",
        "drafts.accepted",
        "drafts.rejected",
        "cost.events",
        "kpi.updates",
    )
    stateful: ClassVar[bool] = True
    once_per_event: ClassVar[bool] = True

    def __init__(
        self, window: str, host: str, port: int, announce: Callable[[str], None], probes: Sequence[Probe] = ()
    ) -> None:
        """Take the window of the ratios, where /metrics listens (port 0: a free one), and whom to tell its address.

        What `probes` say of the surroundings is shown too.
        """
        self._host = host
        self._port = port
        self._announce = announce
        self._collector = SnapshotCollector(window)
        self._surroundings = Surroundings(probes)
        self._server: MetricsServer | None = None
        self._shown = 0  # the parts that the series shown are made of

    async def open(self) -> None:
        """Start to serve /metrics.

        Raises:
            SettingsError: the port is taken.
        """
        collectors = (self._collector, self._surroundings)
        self._server = MetricsServer(*collectors, host=self._host, port=self._port, port_setting="THREADS_METRICS_PORT")
        self._surroundings.start()
        self._announce(self._server.url)

    def owner_of(self, key: bytes, value: bytes) -> str | None:
        """Return whose counter or reading an entry is; tokens are counted by model, and drafts are ids alone."""
        del value
        kind, rest = key[:1], key[1:]
        if kind == _READING:
            return str(json.loads(rest)[0])
        name, first = json.loads(rest)[:2] if kind == _COUNTER else (LLM_TOKENS.name, "")
        return None if name == LLM_TOKENS.name else str(first)

    async def take(self, source: TopicPartition, state: Iterable[tuple[bytes, bytes]]) -> SeriesPart:
        del source
        return SeriesPart(state)

    async def flush(self, parts: Mapping[TopicPartition, SeriesPart]) -> Mapping[TopicPartition, Effects]:
        """Return the changed state, and show it."""
        effects = await super().flush(parts)
        self._collector.show(
            snapshot_of(
                (part.counters.values for part in parts.values()),
                (reading for part in parts.values() for reading in part.readings.latest),
            )
        )
        for part in parts.values():
            part.is_shown = True
        self._shown = len(parts)
        return effects

    def idle_flush_due(self, parts: Collection[SeriesPart]) -> bool:
        """Tell whether what is shown is not what is known: a partition came or went."""
        return len(parts) != self._shown or not all(part.is_shown for part in parts)

    async def close(self) -> None:
        await self._surroundings.stop()
        if self._server is not None:
            self._server.close()
            self._server = None
