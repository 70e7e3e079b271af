"""The merge stage: kpi.partials -> counters by persona -> kpi.updates, also when windows slide on without events."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from agents.kpis.counter_table import CounterTable
from agents.kpis.counters import NUMBER
from agents.kpis.fold import PANES, POSTS, Clock, system_clock_ms
from agents.kpis.partials import TOPIC as PARTIALS
from agents.kpis.partials import read_block
from agents.kpis.persona_counters import PersonaCounters
from agents.kpis.source_counters import PERSONA_WIDTH, POST_WIDTH
from agents.kpis.updates import TOPIC, kpi_update
from agents.kpis.windows import MINUTE_MS
from schemas.records import KpiPartial, KpiUpdate
from streams.engine.batch import Batch, RowBatch, TopicPartition
from streams.engine.stage import Effects, Output, Rejection, Stage, StateChange
from streams.errors import RecordFault


@dataclass(slots=True)
class _Partition:
    counters: PersonaCounters = field(default_factory=PersonaCounters)
    panes: set[str] = field(default_factory=set)  # keys that changed since the last flush
    posts: set[str] = field(default_factory=set)
    personas: set[str] = field(default_factory=set)
    told: dict[tuple[str, str], tuple[int, ...]] = field(default_factory=dict)  # by persona and window


class MergeStage(Stage):
    """Read partials, keep the newest counters of each source partition, and tell each persona's windows.

    Reads kpi.partials, writes kpi.updates; agents/kpis/persona_counters.py decides. A window is told when its counts
    have changed, be it by events or because the clock moved panes out of it; once a minute all are looked at.
    """

    name = "merge"
    topics = (PARTIALS,)
    stateful = True

    def __init__(self, clock_ms: Clock = system_clock_ms) -> None:
        self._clock_ms = clock_ms
        self._partitions: dict[TopicPartition, _Partition] = {}
        self._swept_minute = 0

    async def restore(self, source: TopicPartition, state: Iterable[tuple[bytes, bytes]]) -> None:
        partition = self._partitions[source] = _Partition()
        of: dict[bytes, list[tuple[str, bytes]]] = {PANES: [], POSTS: []}
        for key, value in state:
            of[key[:1]].append((key[1:].decode(), value))
        partition.counters.load(of[PANES], of[POSTS])
        partition.personas.update(partition.counters.personas())

    async def add(self, batch: Batch) -> Sequence[Rejection]:
        assert isinstance(batch, RowBatch)
        partition = self._partitions[batch.source]
        rejections = []
        for row in batch.rows:
            assert isinstance(row.record, KpiPartial)
            try:
                _merge(partition, row.record)
            except ValueError as error:
                rejections.append(Rejection(row.offset, RecordFault(f"a partial of another version: {error}")))
        return rejections

    def idle_flush_due(self) -> bool:
        restored = any(partition.personas for partition in self._partitions.values())
        return restored or self._clock_ms() // MINUTE_MS != self._swept_minute

    async def flush(self) -> Effects:
        effects = Effects()
        now_ms = self._clock_ms()
        sweep = now_ms // MINUTE_MS != self._swept_minute
        self._swept_minute = now_ms // MINUTE_MS
        for source, partition in self._partitions.items():
            counters = partition.counters
            effects.state += _state(source, PANES, counters.panes, partition.panes)
            effects.state += _state(source, POSTS, counters.posts, partition.posts)
            personas = counters.personas() if sweep else sorted(partition.personas)
            updates = [update for persona in personas for update in _updates(partition, persona, now_ms)]
            effects.outputs += [Output(TOPIC, update) for update in updates]
            if sweep:
                effects.state += [StateChange(source, PANES + key.encode(), None) for key in counters.expire(now_ms)]
            for changed in (partition.panes, partition.posts, partition.personas):
                changed.clear()
        return effects

    async def drop(self, source: TopicPartition) -> None:
        self._partitions.pop(source, None)


def _merge(partition: _Partition, partial: KpiPartial) -> None:
    source = f"{partial.source_topic}/{partial.source_partition}"
    counters, stamp = partition.counters, partial.last_offset
    panes, posts = read_block(partial.panes, PERSONA_WIDTH), read_block(partial.posts, POST_WIDTH)
    news = counters.merge_panes(source, panes, stamp)
    partition.panes.update(news)
    partition.posts.update(counters.merge_posts(source, posts, stamp))
    partition.personas.update(key.split("|", 3)[3] for key in news)


def _state(source: TopicPartition, tag: bytes, table: CounterTable, keys: set[str]) -> list[StateChange]:
    ordered = list(keys)
    values = table.encoded(table.rows(ordered))
    return [StateChange(source, tag + key.encode(), value) for key, value in zip(ordered, values, strict=True)]


def _updates(partition: _Partition, persona_id: str, now_ms: int) -> list[KpiUpdate]:
    counted = partition.counters.windows(persona_id, now_ms)
    recurring = int(counted[-1].counts[NUMBER["recurring_revenue_micros"]])
    updates = []
    for window in counted:
        update = kpi_update(persona_id, window, recurring, now_ms)
        told = (*window.counts.tolist(), window.viral_posts or 0, update.revenue_projection_monthly_micros or 0)
        if partition.told.get((persona_id, window.window.name)) != told:
            partition.told[persona_id, window.window.name] = told
            updates.append(update)
    return updates
