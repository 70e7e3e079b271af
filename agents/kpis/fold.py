"""The fold stage: engagement, cost, revenue and posts -> counters by source partition -> kpi.partials."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import polars as pl

from agents.kpis.counter_table import CounterTable
from agents.kpis.counters import SOURCE_TOPICS, Contributions, contributions
from agents.kpis.partials import TOPIC, PartialWriter
from agents.kpis.source_counters import Changed, SourceCounters
from streams.engine.batch import Batch, ColumnBatch, TopicPartition
from streams.engine.stage import Effects, Output, Rejection, Stage, StateChange

PANES, POSTS = b"a", b"b"
"""First byte of a state key: which table it is of."""

Clock = Callable[[], int]
"""Returns milliseconds since the epoch, UTC."""


def system_clock_ms() -> int:
    return time.time_ns() // 1_000_000


@dataclass(slots=True)
class _Partition:
    counters: SourceCounters = field(default_factory=SourceCounters)
    pending: list[Contributions] = field(default_factory=list)
    last_offset: int = -1


class FoldStage(Stage):
    """Read events, count them in the panes of their time, and emit the rows that changed.

    Reads SOURCE_TOPICS, writes kpi.partials; agents/kpis/source_counters.py decides. Events wait as columns until a
    checkpoint groups them all at once.
    """

    name = "fold"
    topics = SOURCE_TOPICS
    stateful = True
    once_per_event = True

    def __init__(self, partial_partitions: int, clock_ms: Clock = system_clock_ms) -> None:
        self._writer = PartialWriter(partial_partitions)
        self._clock_ms = clock_ms
        self._partitions: dict[TopicPartition, _Partition] = {}

    async def restore(self, source: TopicPartition, state: Iterable[tuple[bytes, bytes]]) -> None:
        partition = self._partitions[source] = _Partition()
        of: dict[bytes, list[tuple[str, bytes]]] = {PANES: [], POSTS: []}
        for key, value in state:
            of[key[:1]].append((key[1:].decode(), value))
        partition.counters.load(of[PANES], of[POSTS])

    async def add(self, batch: Batch) -> Sequence[Rejection]:
        assert isinstance(batch, ColumnBatch)
        partition = self._partitions[batch.source]
        if len(batch.frame):
            partition.pending.append(contributions(batch.source.topic, batch.frame))
            partition.last_offset = int(batch.frame["offset"][-1])
        return ()

    async def flush(self) -> Effects:
        effects = Effects()
        now_ms = self._clock_ms()
        for source, partition in self._partitions.items():
            if partition.pending:
                self._flush_partition(source, partition, now_ms, effects)
        return effects

    def _flush_partition(self, source: TopicPartition, partition: _Partition, now_ms: int, effects: Effects) -> None:
        counters = partition.counters
        changes = counters.fold(pl.concat(partition.pending), partition.last_offset, now_ms)
        partition.pending = []
        effects.state += _changed(source, PANES, counters.panes, changes.panes)
        effects.state += _changed(source, POSTS, counters.posts, changes.posts)
        written = self._writer.partials(source, counters, changes, partition.last_offset, now_ms)
        effects.outputs += [Output(TOPIC, partial, partition=target) for target, partial in written]
        effects.state += [StateChange(source, PANES + key.encode(), None) for key in counters.expire(now_ms)]

    async def drop(self, source: TopicPartition) -> None:
        self._partitions.pop(source, None)


def _changed(source: TopicPartition, table_tag: bytes, table: CounterTable, changed: Changed) -> Iterator[StateChange]:
    for key, value in zip(changed.keys, table.encoded(changed.rows), strict=True):
        yield StateChange(source, table_tag + key.encode(), value)
