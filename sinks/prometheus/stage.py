"""The Prometheus stage: folds the log into series, as state that a restart finds again."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from schemas.records import DraftDecided, DraftGenerated, KpiUpdate
from sinks.prometheus.exposition import SnapshotCollector, snapshot_of
from sinks.prometheus.increments import cost_increments, draft_increments
from sinks.prometheus.kpi_readings import KpiReading, KpiReadings
from sinks.prometheus.partition_counters import PartitionCounters
from sinks.prometheus.seen_drafts import SeenDrafts
from streams.engine.batch import Batch, ColumnBatch, Row, TopicPartition
from streams.engine.stage import Effects, Rejection, Stage, StateChange
from streams.errors import RecordFault
from streams.metrics_server import MetricsServer

_COUNTER, _READING, _DRAFT = b"c", b"k", b"d"  # first byte of a state key


@dataclass(frozen=True, slots=True)
class _Partition:
    counters: PartitionCounters = field(default_factory=PartitionCounters)
    readings: KpiReadings = field(default_factory=KpiReadings)
    drafts: SeenDrafts = field(default_factory=SeenDrafts)


class PrometheusStage(Stage):
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

    def __init__(self, window: str, host: str, port: int, announce: Callable[[str], None]) -> None:
        """Take the window of the ratios, where /metrics listens (port 0: a free one), and whom to tell its address."""
        self._host = host
        self._port = port
        self._announce = announce
        self._collector = SnapshotCollector(window)
        self._server: MetricsServer | None = None
        self._partitions: dict[TopicPartition, _Partition] = {}
        self._outdated = False

    async def open(self) -> None:
        """Start to serve /metrics.

        Raises:
            SettingsError: the port is taken.
        """
        self._server = MetricsServer(self._collector, self._host, self._port, port_setting="THREADS_METRICS_PORT")
        self._announce(self._server.url)

    async def restore(self, source: TopicPartition, state: Iterable[tuple[bytes, bytes]]) -> None:
        partition = self._partitions[source] = _Partition()
        drafts: list[tuple[str, int]] = []
        for key, value in state:
            kind, rest = key[:1], key[1:]
            if kind == _COUNTER:
                partition.counters.restore(rest, value)
            elif kind == _READING:
                partition.readings.restore(value)
            else:
                drafts.append((rest.decode(), int(value)))
        partition.drafts.restore(drafts)
        self._outdated = True

    async def add(self, batch: Batch) -> Sequence[Rejection]:
        partition = self._partitions[batch.source]
        self._outdated = True
        if isinstance(batch, ColumnBatch):
            for offset, increments in cost_increments(batch.frame):
                partition.counters.apply(offset, increments)
            return ()
        refused = (_fold(partition, row) for row in batch.rows)
        return [rejection for rejection in refused if rejection is not None]

    async def flush(self) -> Effects:
        """Return the changed state, and show it."""
        effects = Effects(state=[change for source in sorted(self._partitions) for change in self._changes(source)])
        partitions = self._partitions.values()
        self._collector.show(
            snapshot_of(
                (each.counters.values for each in partitions),
                (reading for each in partitions for reading in each.readings.latest),
            )
        )
        self._outdated = False
        return effects

    async def drop(self, source: TopicPartition) -> None:
        self._partitions.pop(source, None)
        self._outdated = True

    def idle_flush_due(self) -> bool:
        """Tell whether what is shown is not what is known: a partition came or went."""
        return self._outdated

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None

    def _changes(self, source: TopicPartition) -> Iterable[StateChange]:
        partition = self._partitions[source]
        for key, value in partition.counters.changes():
            yield StateChange(source, _COUNTER + key, value)
        for key, value in partition.readings.changes():
            yield StateChange(source, _READING + key, value)
        for draft_id, offset in partition.drafts.changes():
            yield StateChange(source, _DRAFT + draft_id.encode(), None if offset is None else b"%d" % offset)


def _fold(partition: _Partition, row: Row) -> Rejection | None:
    record = row.record
    if isinstance(record, KpiUpdate):
        partition.readings.apply(KpiReading.of(record, row.offset))
        return None
    assert isinstance(record, DraftGenerated | DraftDecided)
    draft = record.draft if isinstance(record, DraftDecided) else record
    if draft.latency_ms < 0:
        fault = RecordFault(f"expected latency_ms of at least 0, got {draft.latency_ms}; correct it and send it again")
        return Rejection(row.offset, fault)
    if isinstance(record, DraftDecided) and not 0.0 <= record.quality.score <= 1.0:  # not a number fails this too
        fault = RecordFault(f"expected a quality score from 0 to 1, got {record.quality.score}; correct it and resend")
        return Rejection(row.offset, fault)
    if partition.drafts.counts(draft.draft_id, row.offset):
        partition.counters.apply(row.offset, draft_increments(record))
    return None
