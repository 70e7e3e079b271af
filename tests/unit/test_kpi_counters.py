"""KPIs: any order, lateness, batching, partitioning and crash of fold or merge gives the same as a naive count."""

from __future__ import annotations

import asyncio
import random
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.kpis.counters import COUNTERS, ENGAGEMENT_COUNTER
from agents.kpis.fold import FoldStage
from agents.kpis.merge import MergeStage
from agents.kpis.windows import DAY_MS, HOUR_MS, MINUTE_MS
from schemas.records import KpiPartial, KpiUpdate
from streams.engine.batch import ColumnBatch, Row, RowBatch, TopicPartition
from streams.engine.stage import Effects, StateChange

NOW_MS = 1_790_000_000_000
TARGETS = 2
TOPIC = "engagement.events"
COLUMNS = {
    "persona_id": pl.String,
    "post_id": pl.String,
    "kind": pl.String,
    "count": pl.Int64,
    "occurred_at": pl.Int64,
    "offset": pl.Int64,
}

Counts = dict[tuple[str, str], dict[str, int]]
"""By (persona, window): counters that are not zero."""


@dataclass(frozen=True)
class Event:
    persona_id: str
    post_id: str | None
    kind: str
    count: int
    occurred_at: int


def events() -> st.SearchStrategy[list[Event]]:
    ages = st.one_of(
        st.integers(0, HOUR_MS),
        st.integers(0, 2 * DAY_MS),
        st.integers(0, 45 * DAY_MS),
        st.sampled_from([HOUR_MS, DAY_MS, 7 * DAY_MS, 30 * DAY_MS]),
    )
    event = st.builds(
        Event,
        persona_id=st.sampled_from(["ada", "a|b", "ü", "3|x"]),
        post_id=st.sampled_from([None, "p1", "p|2", "9"]),
        kind=st.sampled_from(sorted(ENGAGEMENT_COUNTER)),
        count=st.integers(0, 500),
        occurred_at=ages.map(lambda age: NOW_MS - age),
    )
    return st.lists(event, min_size=1, max_size=60)


def naive(log: Sequence[Event]) -> Counts:
    counts: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for event in log:
        name = ENGAGEMENT_COUNTER[event.kind]
        counts[event.persona_id, "lifetime"][name] += event.count
        if event.occurred_at // HOUR_MS <= NOW_MS // HOUR_MS - 30 * 24:
            counts[event.persona_id, "lifetime"]["late_events"] += 1
        for window, length, pane in (
            ("1h", 60, MINUTE_MS),
            ("24h", 1440, MINUTE_MS),
            ("7d", 168, HOUR_MS),
            ("30d", 720, HOUR_MS),
        ):
            if NOW_MS // pane - event.occurred_at // pane < length:
                counts[event.persona_id, window][name] += event.count
    return {key: {name: n for name, n in of.items() if n} for key, of in counts.items() if any(of.values())}


@dataclass
class Changelog:
    """State by source partition, as what was appended leaves it."""

    values: dict[TopicPartition, dict[bytes, bytes]] = field(default_factory=lambda: defaultdict(dict))

    def append(self, changes: Sequence[StateChange]) -> None:
        for change in changes:
            if change.value is None:
                self.values[change.source].pop(change.key, None)
            else:
                self.values[change.source][change.key] = change.value

    def state(self, source: TopicPartition) -> list[tuple[bytes, bytes]]:
        return list(self.values[source].items())


class Pipeline:
    """Fold and merge on logs in lists. A crash loses the stage's memory and a random rest of what it was writing."""

    def __init__(self, log: Sequence[Event], seed: int) -> None:
        self.random = random.Random(seed)
        self.source = TopicPartition(TOPIC, 0)
        self.log = [(2 * position, event) for position, event in enumerate(log)]  # offsets with holes
        self.partials: list[list[KpiPartial]] = [[] for _ in range(TARGETS)]
        self.updates: list[KpiUpdate] = []
        self.fold_log, self.merge_log = Changelog(), Changelog()

    async def run_fold(self, crashes: int) -> None:
        committed = 0
        while committed < len(self.log):
            stage = FoldStage(TARGETS, lambda: NOW_MS)
            await stage.restore(self.source, self.fold_log.state(self.source))
            position, dies = committed, crashes > 0
            while position < len(self.log):
                size = self.random.randint(1, 20)
                await stage.add(ColumnBatch(self.source, frame(self.log[position : position + size])))
                position = min(position + size, len(self.log))
                if self.random.random() < 0.5 or position == len(self.log):
                    effects = await stage.flush()
                    if dies and self.random.random() < 0.5:
                        crashes -= 1
                        self._broken_off(effects)
                        break
                    self._append(effects)
                    committed = position

    def _broken_off(self, effects: Effects) -> None:
        if self.random.random() < 0.8:  # the state is acknowledged before any output goes out
            self.fold_log.append(effects.state)
            self._append(Effects([], effects.outputs[: self.random.randint(0, len(effects.outputs))]))

    def _append(self, effects: Effects) -> None:
        self.fold_log.append(effects.state)
        for output in effects.outputs:
            assert isinstance(output.record, KpiPartial)
            assert output.partition is not None
            self.partials[output.partition].append(output.record)

    async def run_merge(self, target: int, crashes: int) -> MergeStage:
        source, committed = TopicPartition("kpi.partials", target), 0
        while True:
            stage = MergeStage(lambda: NOW_MS)
            await stage.restore(source, self.merge_log.state(source))
            position = committed
            while position < len(self.partials[target]):
                size = self.random.randint(1, 5)
                rows = [
                    Row(offset, self.partials[target][offset])
                    for offset in range(position, min(position + size, len(self.partials[target])))
                ]
                assert not await stage.add(RowBatch(source, rows))
                position += len(rows)
                if self.random.random() < 0.5:
                    effects = await stage.flush()
                    if crashes > 0 and self.random.random() < 0.5:
                        crashes -= 1
                        self.merge_log.append(effects.state[: self.random.randint(0, len(effects.state))])
                        break
                    self.merge_log.append(effects.state)
                    committed = position
            else:
                return stage


def frame(log: Sequence[tuple[int, Event]]) -> pl.DataFrame:
    rows = [
        (event.persona_id, event.post_id, event.kind, event.count, event.occurred_at, offset) for offset, event in log
    ]
    return pl.DataFrame(rows, schema=COLUMNS, orient="row")


async def counted(partitions: Sequence[Sequence[Event]], seed: int, crashes: int) -> Counts:
    """Fold each partition, interleave their partials, merge, and return what the windows show."""
    pipelines = [Pipeline(log, seed + number) for number, log in enumerate(partitions)]
    merged = Pipeline([], seed)
    for number, pipeline in enumerate(pipelines):
        pipeline.source = TopicPartition(TOPIC, number)
        await pipeline.run_fold(crashes)
        for target in range(TARGETS):
            merged.partials[target] += pipeline.partials[target]
    counts: Counts = {}
    for target in range(TARGETS):
        stage = await merged.run_merge(target, crashes)
        for counters in stage.counters():
            counters.load(())  # whoever restores looks at every persona
            counters.move_to(NOW_MS)
            for window in counters.take_changed():
                named = dict(zip(COUNTERS, window.counts, strict=True))
                counts[window.persona_id, window.window.name] = {name: n for name, n in named.items() if n}
    return {key: of for key, of in counts.items() if of}


@settings(deadline=None, max_examples=150)
@given(log=events(), seed=st.integers(0, 2**20), split=st.integers(1, 3), crashes=st.integers(0, 4))
def test_any_batching_partitioning_and_crash_gives_the_naive_counts(
    log: list[Event], seed: int, split: int, crashes: int
) -> None:
    partitions = [part for number in range(split) if (part := log[number::split])]
    assert asyncio.run(counted(partitions, seed, crashes)) == naive(log)


async def test_windows_slide_on_without_events_and_are_told_again() -> None:
    now = NOW_MS
    fold, merge = FoldStage(1, lambda: now), MergeStage(lambda: now)
    source, target = TopicPartition(TOPIC, 0), TopicPartition("kpi.partials", 0)
    await fold.restore(source, ())
    await merge.restore(target, ())
    await fold.add(ColumnBatch(source, frame([(0, Event("ada", "p", "view", 7, NOW_MS))])))
    partials = (await fold.flush()).outputs
    await merge.add(RowBatch(target, [Row(0, partial.record) for partial in partials]))
    views: dict[str, int] = {}

    async def told() -> dict[str, int]:
        for output in (await merge.flush()).outputs:
            assert isinstance(output.record, KpiUpdate)
            views[output.record.window] = output.record.views
        return dict(views)

    assert await told() == {"1h": 7, "24h": 7, "7d": 7, "30d": 7, "lifetime": 7}
    assert not merge.idle_flush_due()
    for later, expected in ((HOUR_MS, [0, 7, 7, 7, 7]), (DAY_MS, [0, 0, 7, 7, 7]), (30 * DAY_MS, [0, 0, 0, 0, 7])):
        now = NOW_MS + later
        assert merge.idle_flush_due()
        assert await told() == dict(zip(["1h", "24h", "7d", "30d", "lifetime"], expected, strict=True))
