"""The merge stage: kpi.partials -> counters by persona -> kpi.updates, also when windows slide on without events."""

from __future__ import annotations

import struct
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

import numpy as np

from agents.kpis.counters import COUNTERS
from agents.kpis.partials import TOPIC as PARTIALS
from agents.kpis.partials import read_panes, read_posts
from agents.kpis.persona_counters import PersonaCounters
from agents.kpis.telling import TellingPace, ToldWindow, kpi_updates, projections
from agents.kpis.windows import MINUTE_MS, WINDOWS
from schemas.records import KpiPartial
from streams.engine.batch import Row, RowBatch, TopicPartition
from streams.engine.stage import Effects, OutputColumns, Part, Rejection, Stage
from streams.errors import RecordFault
from streams.wall_clock import ClockMs, now_ms

APPLIED = b"s"
"""First byte of the state key that says how far a source partition is applied; the others are PersonaCounters'."""


def _nothing_told() -> dict[str, ToldWindow]:
    return {window.name: ToldWindow(len(COUNTERS) + 2) for window in WINDOWS}


class MergePart(Part[RowBatch[KpiPartial]]):
    """The counters of the personas of a partition, and how far each source partition is applied to them."""

    def __init__(self, state: Iterable[tuple[bytes, bytes]]) -> None:
        self.counters = PersonaCounters()
        self.told = _nothing_told()
        self._applied: dict[str, int] = {}  # last offset of the ranges added, by source partition
        self._added: set[str] = set()  # source partitions that were added to since the last flush
        self.counters.load(self._without_applied(state))

    def _without_applied(self, state: Iterable[tuple[bytes, bytes]]) -> Iterator[tuple[bytes, bytes]]:
        """Take what restored state says of sources, and yield the rest."""
        for key, value in state:
            if key.startswith(APPLIED):
                self._applied[key[len(APPLIED) :].decode()] = struct.unpack("<q", value)[0]
            else:
                yield key, value

    async def add(self, batch: RowBatch[KpiPartial]) -> Sequence[Rejection]:
        rejections = []
        for row in batch.rows:
            try:
                self._merge(row)
            except ValueError as error:
                rejections.append(Rejection(row.offset, RecordFault(f"a partial of another version: {error}")))
        return rejections

    def _merge(self, row: Row[KpiPartial]) -> None:
        partial = row.record
        source = f"{partial.source_topic}/{partial.source_partition}"
        if partial.last_offset <= self._applied.get(source, -1):
            return  # the fold said it again after a crash
        self.counters.add(read_panes(partial.panes), read_posts(partial.posts), row.offset)
        self._applied[source] = partial.last_offset
        self._added.add(source)

    def flush(self) -> Effects:
        """Return what changed. The sources come last: who finds in the log how far one is applied has all its rows."""
        effects = Effects(changes=list(self.counters.take_state()))
        effects.changes += [
            (APPLIED + name.encode(), struct.pack("<q", self._applied[name])) for name in sorted(self._added)
        ]
        self._added.clear()
        return effects


class MergeStage(Stage[MergePart]):
    """Read partials, add each range of a source partition once, and tell each persona's windows.

    Reads kpi.partials, writes kpi.updates; agents/kpis/persona_counters.py decides. A window is told when its counts
    have changed, be it by events or because the clock moved panes out of it, which is looked at once a minute; when
    many personas change, a little later (agents/kpis/telling.py). What was not told before a stop or a crash is
    told after it, by whoever takes the partition over.
    """

    name = "merge"
    topics = (PARTIALS,)
    stateful = True

    def __init__(self, clock_ms: ClockMs = now_ms) -> None:
        self._clock_ms = clock_ms
        self._swept_minute = 0
        self._pace = TellingPace()

    async def take(self, source: TopicPartition, state: Iterable[tuple[bytes, bytes]]) -> MergePart:
        del source
        return MergePart(state)

    def idle_flush_due(self, parts: Collection[MergePart]) -> bool:
        now = self._clock_ms()
        return now // MINUTE_MS != self._swept_minute or (_changed(parts) > 0 and self._pace.due(now))

    async def flush(self, parts: Mapping[TopicPartition, MergePart]) -> Mapping[TopicPartition, Effects]:
        """Tell at one pace over all partitions."""
        now = self._clock_ms()
        sweep = now // MINUTE_MS != self._swept_minute
        self._swept_minute = now // MINUTE_MS
        effects = {}
        for source, part in parts.items():
            effects[source] = part.flush()
            part.counters.move_to(now)
            if sweep:
                effects[source].changes += [(key, None) for key in part.counters.expire(now)]
        if self._pace.due(now):
            self._pace.told(_changed(parts.values()), now)
            for source, part in parts.items():
                effects[source].outputs += _updates(part, now)
        return effects


def _changed(parts: Collection[MergePart]) -> int:
    return sum(part.counters.changed() for part in parts)


def _updates(part: MergePart, now: int) -> Iterator[OutputColumns]:
    """Yield updates of the windows whose facts are not those last told."""
    for counted in part.counters.take_changed():
        projected = projections(counted, now)
        viral = np.zeros(len(projected)) if counted.viral_posts is None else counted.viral_posts
        facts = np.column_stack((counted.counts, viral, [amount or 0 for amount in projected])).astype(np.int64)
        news = part.told[counted.window.name].news(counted.numbers, facts)
        if news.any():
            told = [amount for amount, new in zip(projected, news.tolist(), strict=True) if new]
            yield kpi_updates(counted.chosen(news), told, now)
