"""The fold stage: engagement, cost, revenue and posts -> counts of a range of their partition -> kpi.partials."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import polars as pl

from agents.kpis.counters import SOURCE_TOPICS, Contributions, contributions
from agents.kpis.partials import TOPIC, PartialWriter
from agents.kpis.source_counts import count
from agents.kpis.source_ranges import Boundaries, OffsetRange
from schemas.records import KpiPartial
from streams.engine.batch import Batch, ColumnBatch, TopicPartition
from streams.engine.stage import Effects, Output, Rejection, Stage, StateChange
from streams.wall_clock import ClockMs, now_ms

BOUNDARIES = b"boundaries"
MAX_PARTIAL_BYTES = 2 * 2**20  # a range whose partial is larger is halved

Told = tuple[OffsetRange, list[tuple[int, KpiPartial]]]


@dataclass(slots=True)
class _Partition:
    boundaries: Boundaries = field(default_factory=Boundaries)
    pending: list[Contributions] = field(default_factory=list)


class FoldStage(Stage):
    """Read events, and at each checkpoint tell what those since the last add to which counters.

    Reads SOURCE_TOPICS, writes kpi.partials; agents/kpis/source_counts.py decides. Events wait as columns until the
    checkpoint sums them all at once. The only state is where ranges ended (agents/kpis/source_ranges.py says why).
    """

    name = "fold"
    topics = SOURCE_TOPICS
    stateful = True
    once_per_event = True
    settled_by_add = True

    def __init__(self, partial_partitions: int, clock_ms: ClockMs = now_ms) -> None:
        self._writer = PartialWriter(partial_partitions)
        self._clock_ms = clock_ms
        self._partitions: dict[TopicPartition, _Partition] = {}

    async def restore(self, source: TopicPartition, state: Iterable[tuple[bytes, bytes]]) -> None:
        remembered = dict(state).get(BOUNDARIES, b"")
        self._partitions[source] = _Partition(Boundaries.decoded(remembered))

    async def add(self, batch: Batch) -> Sequence[Rejection]:
        assert isinstance(batch, ColumnBatch)
        if len(batch.frame):
            self._partitions[batch.source].pending.append(contributions(batch.source.topic, batch.frame))
        return ()

    async def flush(self) -> Effects:
        effects = Effects()
        for source, partition in self._partitions.items():
            if partition.pending:
                self._tell(source, partition, effects)
        return effects

    def _tell(self, source: TopicPartition, partition: _Partition, effects: Effects) -> None:
        events = pl.concat(partition.pending)
        partition.pending = []
        first, end = _bounds(events["offset"])
        cut = partition.boundaries.cut(first, end)
        told = [part for offsets in cut for part in self._partials(source, offsets, events)]
        partition.boundaries = partition.boundaries.extended([offsets for offsets, _ in told])
        effects.state.append(StateChange(source, BOUNDARIES, partition.boundaries.encoded()))
        for _, partials in told:
            effects.outputs += [Output(TOPIC, partial, partition=target) for target, partial in partials]

    def _partials(self, source: TopicPartition, offsets: OffsetRange, events: Contributions) -> Iterator[Told]:
        inside = events.filter(pl.col("offset") >= offsets.start, pl.col("offset") < offsets.end)
        at = self._clock_ms()
        partials = self._writer.partials(source, offsets, count(inside, at), at)
        largest = max((len(partial.panes) + len(partial.posts) for _, partial in partials), default=0)
        middle = (offsets.start + offsets.end) // 2
        if largest <= MAX_PARTIAL_BYTES or middle == offsets.start:
            yield offsets, partials
            return
        yield from self._partials(source, OffsetRange(offsets.start, middle), inside)
        yield from self._partials(source, OffsetRange(middle, offsets.end), inside)

    async def drop(self, source: TopicPartition) -> None:
        self._partitions.pop(source, None)


def _bounds(offsets: pl.Series) -> tuple[int, int]:
    """Return the least offset and the one behind the greatest: contributions are in the order of their counters."""
    values = offsets.to_numpy()
    return int(values.min()), int(values.max()) + 1
