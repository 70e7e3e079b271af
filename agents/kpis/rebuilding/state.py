"""A KPI state in memory, made of events by the fold and the merge of the role itself; its clock is the log's time."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import polars as pl

from agents.kpis.hour_fold import HourFold
from agents.kpis.merge import MergePart
from agents.kpis.partials import TOPIC as PARTIALS
from schemas.records import KpiPartial
from streams.engine.batch import ColumnBatch, Row, RowBatch, TopicPartition
from streams.state.duplicates import RecentIds, id_hashes

FLUSH_EVENTS = 200_000


@dataclass(slots=True)
class _Source:
    """A source partition: the ids it has seen, and the events that wait to be summed."""

    recent: RecentIds
    waiting: list[pl.DataFrame] = field(default_factory=list)


class RebuiltState:
    """What the role would have counted, by partition of kpi.partials.

    An id counts once within the horizon of its partition, as in the workers. Memory is that of the state, of the ids
    within the horizon, and of `FLUSH_EVENTS` events a partition.
    """

    def __init__(self, targets: int, horizon: int) -> None:
        self.parts = [MergePart(()) for _ in range(targets)]
        self.events = 0
        self._horizon = horizon
        self._fold = HourFold(targets)
        self._sources: dict[TopicPartition, _Source] = {}
        self._partials = 0

    async def add(self, batch: ColumnBatch) -> None:
        """Add events that lie behind all of their partition so far; the frame has the column TAKEN too."""
        source = self._sources.setdefault(batch.source, _Source(RecentIds(self._horizon)))
        first = source.recent.first_seen(id_hashes(batch.frame), batch.frame["offset"].to_numpy())
        fresh = batch.frame if first.all() else batch.frame.filter(pl.Series(first))
        self.events += len(fresh)
        source.waiting.append(fresh)
        if sum(map(len, source.waiting)) >= FLUSH_EVENTS:
            await self._settle(batch.source)

    async def settle(self) -> None:
        """Sum what waits of all partitions."""
        for source in self._sources:
            await self._settle(source)

    async def _settle(self, source: TopicPartition) -> None:
        kept = self._sources[source]
        if not kept.waiting:
            return
        events, kept.waiting = pl.concat(kept.waiting), []
        for target, partial in await self._fold.partials(ColumnBatch(source, events)):
            await self.merge(target, [partial])

    async def merge(self, target: int, partials: Iterable[KpiPartial]) -> None:
        """Add ranges to a partition of the state, each if it is not in; they are numbered in the order they come."""
        rows = [Row(number, partial) for number, partial in enumerate(partials, self._partials)]
        self._partials += len(rows)
        await self.parts[target].add(RowBatch(TopicPartition(PARTIALS, target), rows))
