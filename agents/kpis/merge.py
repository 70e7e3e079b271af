"""The merge stage: kpi.partials -> counters by persona -> kpi.updates, also when windows slide on without events."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from agents.kpis.counter_table import CounterTable
from agents.kpis.partials import TOPIC as PARTIALS
from agents.kpis.partials import read_block
from agents.kpis.persona_counters import PersonaCounters
from agents.kpis.updates import TOPIC, kpi_update
from agents.kpis.windows import MINUTE_MS
from schemas.records import KpiPartial, KpiUpdate
from streams.engine.batch import Batch, Row, RowBatch, TopicPartition
from streams.engine.stage import Effects, Output, Rejection, Stage, StateChange
from streams.errors import RecordFault
from streams.wall_clock import ClockMs, now_ms

PANES, POSTS, APPLIED = b"a", b"b", b"s"
"""First byte of a state key: a row of panes, a row of posts, or how far a source partition is applied."""


@dataclass(slots=True)
class _Partition:
    counters: PersonaCounters = field(default_factory=PersonaCounters)
    applied: dict[str, int] = field(default_factory=dict)  # last offset of the ranges added, by source partition
    panes: set[str] = field(default_factory=set)  # keys that changed since the last flush
    posts: set[str] = field(default_factory=set)
    sources: set[str] = field(default_factory=set)
    told: dict[tuple[str, str], tuple[object, ...]] = field(default_factory=dict)  # by persona and window


class MergeStage(Stage):
    """Read partials, add each range of a source partition once, and tell each persona's windows.

    Reads kpi.partials, writes kpi.updates; agents/kpis/persona_counters.py decides. A window is told when its counts
    have changed, be it by events or because the clock moved panes out of it, which is looked at once a minute.
    """

    name = "merge"
    topics = (PARTIALS,)
    stateful = True

    def __init__(self, clock_ms: ClockMs = now_ms) -> None:
        self._clock_ms = clock_ms
        self._partitions: dict[TopicPartition, _Partition] = {}
        self._swept_minute = 0

    async def restore(self, source: TopicPartition, state: Iterable[tuple[bytes, bytes]]) -> None:
        partition = self._partitions[source] = _Partition()
        of: dict[bytes, list[tuple[str, bytes]]] = {PANES: [], POSTS: [], APPLIED: []}
        for key, value in state:
            of[key[:1]].append((key[1:].decode(), value))
        partition.counters.load(of[PANES], of[POSTS])
        partition.applied.update((key, struct.unpack("<q", value)[0]) for key, value in of[APPLIED])

    async def add(self, batch: Batch) -> Sequence[Rejection]:
        assert isinstance(batch, RowBatch)
        partition = self._partitions[batch.source]
        rejections = []
        for row in batch.rows:
            try:
                _merge(partition, row)
            except ValueError as error:
                rejections.append(Rejection(row.offset, RecordFault(f"a partial of another version: {error}")))
        return rejections

    def idle_flush_due(self) -> bool:
        restored = any(partition.counters.changed() for partition in self._partitions.values())
        return restored or self._clock_ms() // MINUTE_MS != self._swept_minute

    async def flush(self) -> Effects:
        effects = Effects()
        now = self._clock_ms()
        sweep = now // MINUTE_MS != self._swept_minute
        self._swept_minute = now // MINUTE_MS
        for source, partition in self._partitions.items():
            effects.state += _changed_state(source, partition)
            partition.counters.move_to(now)
            effects.outputs += [Output(TOPIC, update) for update in _updates(partition, now)]
            if sweep:
                expired = partition.counters.expire(now)
                effects.state += [StateChange(source, PANES + key.encode(), None) for key in expired]
        return effects

    def counters(self) -> list[PersonaCounters]:
        """Return the merged counters of each partition this worker has."""
        return [partition.counters for partition in self._partitions.values()]

    async def drop(self, source: TopicPartition) -> None:
        self._partitions.pop(source, None)


def _merge(partition: _Partition, row: Row) -> None:
    partial = row.record
    assert isinstance(partial, KpiPartial)
    source = f"{partial.source_topic}/{partial.source_partition}"
    if partial.last_offset <= partition.applied.get(source, -1):
        return  # the fold said it again after a crash
    panes, posts = read_block(partial.panes), read_block(partial.posts)
    partition.counters.add(panes, posts, row.offset)
    partition.applied[source] = partial.last_offset
    partition.sources.add(source)
    partition.panes.update(panes.keys)
    partition.posts.update(posts.keys)


def _changed_state(source: TopicPartition, partition: _Partition) -> Iterator[StateChange]:
    """Yield what changed. The sources come last: whoever finds in the log how far one is applied has all rows of it."""
    yield from _rows(source, PANES, partition.counters.panes, partition.panes)
    yield from _rows(source, POSTS, partition.counters.posts, partition.posts)
    for name in sorted(partition.sources):
        yield StateChange(source, APPLIED + name.encode(), struct.pack("<q", partition.applied[name]))
    for changed in (partition.panes, partition.posts, partition.sources):
        changed.clear()


def _rows(source: TopicPartition, tag: bytes, table: CounterTable, keys: set[str]) -> Iterator[StateChange]:
    ordered = list(keys)
    rows, _ = table.rows(ordered)
    for key, value in zip(ordered, table.encoded(rows), strict=True):
        yield StateChange(source, tag + key.encode(), value)


def _updates(partition: _Partition, now: int) -> Iterator[KpiUpdate]:
    """Yield updates of the windows whose counts are not those last told."""
    for counted in partition.counters.take_changed():
        update = kpi_update(counted, now)
        told = (counted.counts, counted.viral_posts, update.revenue_projection_monthly_micros)
        key = (counted.persona_id, counted.window.name)
        if partition.told.get(key) != told:
            partition.told[key] = told
            yield update
