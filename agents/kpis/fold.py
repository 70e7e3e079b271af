"""The fold stage: engagement, cost, revenue and posts -> counts of a range of their partition -> kpi.partials."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import polars as pl

from agents.kpis.counters import SOURCE_TOPICS, Contributions, contributions, count
from agents.kpis.partials import TOPIC, PartialWriter
from schemas.records import KpiPartial
from streams.engine.batch import ColumnBatch, TopicPartition
from streams.engine.offset_ranges import Boundaries, OffsetRange, told_in_ranges
from streams.engine.stage import Effects, Output, Part, Rejection, Stage
from streams.wall_clock import ClockMs, now_ms

BOUNDARIES = b"boundaries"
MAX_PARTIAL_BYTES = 2 * 2**20  # a range whose partial is larger is halved


class FoldPart(Part[ColumnBatch]):
    """Events of a partition, which wait as columns until the checkpoint sums them all at once.

    The only state is where ranges ended (agents/kpis/counters.py says why).
    """

    def __init__(
        self, source: TopicPartition, boundaries: Boundaries, writer: PartialWriter, clock_ms: ClockMs
    ) -> None:
        self._source = source
        self._boundaries = boundaries
        self._writer = writer
        self._clock_ms = clock_ms
        self._pending: list[Contributions] = []

    async def add(self, batch: ColumnBatch) -> Sequence[Rejection]:
        if len(batch.frame):
            self._pending.append(contributions(self._source.topic, batch.frame))
        return ()

    def flush(self) -> Effects:
        """Tell what the events since the last flush add, by ranges of offsets."""
        if not self._pending:
            return Effects()
        events = pl.concat(self._pending)
        self._pending = []
        first, end = _bounds(events["offset"])
        ranges = self._boundaries.cut(first, end)
        told = list(told_in_ranges(ranges, lambda each: self._partials(each, events), _size, MAX_PARTIAL_BYTES))
        self._boundaries = self._boundaries.extended([offsets for offsets, _ in told])
        return Effects(
            changes=[(BOUNDARIES, self._boundaries.encoded())],
            outputs=[Output(TOPIC, partial, partition=target) for _, partials in told for target, partial in partials],
        )

    def _partials(self, offsets: OffsetRange, events: Contributions) -> list[tuple[int, KpiPartial]]:
        inside = events.filter(pl.col("offset") >= offsets.start, pl.col("offset") < offsets.end)
        at = self._clock_ms()
        return self._writer.partials(self._source, offsets, count(inside, at), at)


class FoldStage(Stage[FoldPart]):
    """Read events, and at each checkpoint tell what those since the last add to which counters.

    Reads SOURCE_TOPICS, writes kpi.partials; agents/kpis/counters.py decides.
    """

    name = "fold"
    topics = SOURCE_TOPICS
    stateful = True
    once_per_event = True
    done_by_add = True

    def __init__(self, partial_partitions: int, clock_ms: ClockMs = now_ms) -> None:
        self._writer = PartialWriter(partial_partitions)
        self._clock_ms = clock_ms

    def owner_of(self, key: bytes, value: bytes) -> None:
        """Return that an entry is nobody's: it says where ranges of offsets ended."""
        del key, value

    async def take(self, source: TopicPartition, state: Iterable[tuple[bytes, bytes]]) -> FoldPart:
        boundaries = Boundaries.decoded(dict(state).get(BOUNDARIES, b""))
        return FoldPart(source, boundaries, self._writer, self._clock_ms)


def _bounds(offsets: pl.Series) -> tuple[int, int]:
    """Return the least offset and the one behind the greatest: contributions are in the order of their counters."""
    values = offsets.to_numpy()
    return int(values.min()), int(values.max()) + 1


def _size(partial: KpiPartial) -> int:
    return len(partial.panes) + len(partial.posts)
