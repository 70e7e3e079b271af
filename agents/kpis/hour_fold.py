"""Events of the log folded once more, hour by hour of the log's own time: by who rebuilds the state, and by replays."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from operator import attrgetter

import numpy as np
import polars as pl

from agents.kpis.fold import FoldPart
from agents.kpis.partials import PartialWriter
from agents.kpis.windows import HOUR_MS
from schemas.records import KpiPartial
from streams.engine.batch import ColumnBatch, FetchedRecord, TopicPartition, offsets_of
from streams.engine.offset_ranges import Boundaries
from streams.engine.stage import Output
from streams.wall_clock import now_ms

TAKEN = "taken_ms"
"""Column of the time at which the log took an event, epoch milliseconds."""
_timestamp = attrgetter("timestamp")


class HourFold:
    """Partials of events by the fold of the role, with the log's time as its clock.

    An hour of the log is counted as at its beginning: what is late, and which panes are kept, depends on the hour
    alone, so that no cut of the log into batches makes a difference. Time does not run back in a partition: `hours` is
    how far it is, taken over from an earlier fold.
    """

    def __init__(self, targets: int, hours: Mapping[TopicPartition, int] | None = None) -> None:
        """Make partials for so many partitions of kpi.partials."""
        self.hours: dict[TopicPartition, int] = dict(hours or {})
        self._writer = PartialWriter(targets)
        self._folds: dict[TopicPartition, FoldPart] = {}
        self._counted_at_ms = 0

    async def partials(self, batch: ColumnBatch) -> list[tuple[int, KpiPartial]]:
        """Return what events add, by target partition; they lie behind all of theirs so far and have a column TAKEN."""
        found = list[tuple[int, KpiPartial]]()
        for hour, part in self._by_hour(batch):
            fold = self._fold(batch.source)
            self._counted_at_ms = hour * HOUR_MS
            await fold.add(part)
            for output in fold.flush().outputs:
                assert isinstance(output, Output)
                assert isinstance(output.record, KpiPartial)
                assert output.partition is not None
                found.append((output.partition, output.record))
        return found

    def _fold(self, source: TopicPartition) -> FoldPart:
        if source not in self._folds:
            self._folds[source] = FoldPart(source, Boundaries(), self._writer, lambda: self._counted_at_ms)
        return self._folds[source]

    def _by_hour(self, batch: ColumnBatch) -> Iterator[tuple[int, ColumnBatch]]:
        taken = batch.frame[TAKEN].to_numpy()
        if not len(taken):
            return
        hours = np.maximum(np.maximum.accumulate(taken // HOUR_MS), self.hours.get(batch.source, 0))
        self.hours[batch.source] = int(hours[-1])
        starts = np.flatnonzero(np.diff(hours, prepend=-1)).tolist()
        for start, end in pairwise([*starts, len(hours)]):
            yield int(hours[start]), ColumnBatch(batch.source, batch.frame[start:end])


def with_times_of(batch: ColumnBatch, records: Sequence[FetchedRecord]) -> ColumnBatch:
    """Return the batch with the column TAKEN, given all records it came of; a producer's clock may be ahead."""
    times = np.fromiter(map(_timestamp, records), dtype=np.int64, count=len(records))
    return with_taken(batch, offsets_of(records), np.clip(times, 0, now_ms()))


def with_taken(batch: ColumnBatch, offsets: np.ndarray, times: np.ndarray) -> ColumnBatch:
    """Return the batch with the column TAKEN, given offsets (ascending) and times of all records it came of."""
    taken = times[np.searchsorted(offsets, batch.frame["offset"].to_numpy())]
    return ColumnBatch(batch.source, batch.frame.with_columns(pl.Series(TAKEN, taken, dtype=pl.Int64)))
