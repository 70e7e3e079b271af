"""The merge stage: kpi.partials -> counters by persona -> kpi.updates, also when windows slide on without events."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from agents.kpis.counters import COUNTERS
from agents.kpis.partials import TOPIC as PARTIALS
from agents.kpis.partials import read_panes, read_posts
from agents.kpis.persona_counters import PersonaCounters
from agents.kpis.telling_pace import TellingPace
from agents.kpis.told_windows import ToldWindow
from agents.kpis.updates import kpi_updates, projections
from agents.kpis.windows import MINUTE_MS, WINDOWS
from schemas.records import KpiPartial
from streams.engine.batch import Batch, Row, RowBatch, TopicPartition
from streams.engine.stage import Effects, OutputColumns, Rejection, Stage, StateChange
from streams.errors import RecordFault
from streams.wall_clock import ClockMs, now_ms

APPLIED = b"s"
"""First byte of the state key that says how far a source partition is applied; the others are PersonaCounters'."""


def _nothing_told() -> dict[str, ToldWindow]:
    return {window.name: ToldWindow(len(COUNTERS) + 2) for window in WINDOWS}


@dataclass(slots=True)
class _Partition:
    counters: PersonaCounters = field(default_factory=PersonaCounters)
    applied: dict[str, int] = field(default_factory=dict)  # last offset of the ranges added, by source partition
    sources: set[str] = field(default_factory=set)  # those added to since the last flush
    told: dict[str, ToldWindow] = field(default_factory=_nothing_told)  # by window

    def without_applied(self, state: Iterable[tuple[bytes, bytes]]) -> Iterator[tuple[bytes, bytes]]:
        """Take what restored state says of sources, and yield the rest."""
        for key, value in state:
            if key.startswith(APPLIED):
                self.applied[key[len(APPLIED) :].decode()] = struct.unpack("<q", value)[0]
            else:
                yield key, value


class MergeStage(Stage):
    """Read partials, add each range of a source partition once, and tell each persona's windows.

    Reads kpi.partials, writes kpi.updates; agents/kpis/persona_counters.py decides. A window is told when its counts
    have changed, be it by events or because the clock moved panes out of it, which is looked at once a minute; when
    many personas change, a little later (agents/kpis/telling_pace.py). What was not told before a stop or a crash is
    told after it, by whoever restores the partition.
    """

    name = "merge"
    topics = (PARTIALS,)
    stateful = True

    def __init__(self, clock_ms: ClockMs = now_ms) -> None:
        self._clock_ms = clock_ms
        self._partitions: dict[TopicPartition, _Partition] = {}
        self._swept_minute = 0
        self._pace = TellingPace()

    async def restore(self, source: TopicPartition, state: Iterable[tuple[bytes, bytes]]) -> None:
        partition = self._partitions[source] = _Partition()
        partition.counters.load(partition.without_applied(state))

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
        now = self._clock_ms()
        return now // MINUTE_MS != self._swept_minute or (self._changed() > 0 and self._pace.due(now))

    def _changed(self) -> int:
        return sum(partition.counters.changed() for partition in self._partitions.values())

    async def flush(self) -> Effects:
        effects = Effects()
        now = self._clock_ms()
        sweep = now // MINUTE_MS != self._swept_minute
        self._swept_minute = now // MINUTE_MS
        for source, partition in self._partitions.items():
            effects.state += _changed_state(source, partition)
            partition.counters.move_to(now)
            if sweep:
                expired = partition.counters.expire(now)
                effects.state += [StateChange(source, key, None) for key in expired]
        if self._pace.due(now):
            self._pace.told(self._changed(), now)
            for partition in self._partitions.values():
                effects.outputs += _updates(partition, now)
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
    partition.counters.add(read_panes(partial.panes), read_posts(partial.posts), row.offset)
    partition.applied[source] = partial.last_offset
    partition.sources.add(source)


def _changed_state(source: TopicPartition, partition: _Partition) -> list[StateChange]:
    """Return what changed. The sources come last: who finds in the log how far one is applied has all its rows."""
    changes = [StateChange(source, key, value) for key, value in partition.counters.take_state()]
    changes += [
        StateChange(source, APPLIED + name.encode(), struct.pack("<q", partition.applied[name]))
        for name in sorted(partition.sources)
    ]
    partition.sources.clear()
    return changes


def _updates(partition: _Partition, now: int) -> Iterator[OutputColumns]:
    """Yield updates of the windows whose facts are not those last told."""
    for counted in partition.counters.take_changed():
        projected = projections(counted, now)
        viral = np.zeros(len(projected)) if counted.viral_posts is None else counted.viral_posts
        facts = np.column_stack((counted.counts, viral, [amount or 0 for amount in projected])).astype(np.int64)
        news = partition.told[counted.window.name].news(counted.numbers, facts)
        if news.any():
            told = [amount for amount, new in zip(projected, news.tolist(), strict=True) if new]
            yield kpi_updates(counted.chosen(news), told, now)
