"""The merge stage: kpi.partials -> counters by persona -> kpi.updates, told when windows have news or slide on."""

from __future__ import annotations

import struct
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Iterator, Mapping, Sequence

import numpy as np

from agents.kpis.counters import COUNTERS
from agents.kpis.formulas import cost_per_follow_dollars, engagement_rate, revenue_projection_micros
from agents.kpis.partials import TOPIC as PARTIALS
from agents.kpis.partials import counted_ms, read_panes, read_posts, without_hidden
from agents.kpis.persona_counters import PersonaCounters, WindowCounts
from agents.kpis.tables.counter_table import Bools, Ints, grown
from agents.kpis.windows import MINUTE_MS, WINDOWS
from schemas.codec.column_encoder import Column, Constant
from schemas.engagement import ENGAGING_COUNTERS
from schemas.records import KpiPartial
from streams.engine.batch import Row, RowBatch, TopicPartition
from streams.engine.stage import Effects, OutputColumns, Part, Rejection, Stage
from streams.errors import RecordFault
from streams.identity import derived_id
from streams.kafka.hidden import NOTHING, Hidden
from streams.wall_clock import ClockMs, now_ms

TOPIC = "kpi.updates"
PROJECTION_WINDOW = "30d"
APPLIED = b"s"
"""First byte of the state key that says how far a source partition is applied; the others are PersonaCounters'."""
CATCH_UP = b"r"
"""State key of a version that was rebuilt and not used yet: the offset from which partials may lack in it."""
ReadPartials = Callable[[TopicPartition, int], AsyncIterator[RowBatch[KpiPartial]]]
"""Read a partition of kpi.partials from an offset to its present end."""


def projections(counted: WindowCounts, now_ms: int) -> list[int | None]:
    """Return the monthly revenue projection of each persona, None for windows it does not follow from."""
    if counted.window.name != PROJECTION_WINDOW:
        return [None] * len(counted.personas)
    one_off = counted.counts[:, COUNTERS.index("one_off_revenue_micros")].tolist()
    levels = zip(one_off, counted.recurring_micros.tolist(), counted.first_revenue_ms.tolist(), strict=True)
    return [revenue_projection_micros(amount, recurring, first or None, now_ms) for amount, recurring, first in levels]


def kpi_updates(counted: WindowCounts, projected: list[int | None], now_ms: int) -> OutputColumns:
    """Return the updates of personas in one window as of `now_ms`."""
    counts = dict(zip(COUNTERS, counted.counts.T.tolist(), strict=True))
    engagements = [sum(each) for each in zip(*(counts[name] for name in ENGAGING_COUNTERS), strict=True)]
    costs, window, now = counts["cost_micros"], counted.window.name, str(now_ms)
    columns: dict[str, Column] = {
        "event_id": [derived_id(persona, window, now) for persona in counted.personas],
        "occurred_at": Constant(now_ms),
        "persona_id": counted.personas,
        "window": Constant(window),
        "window_start": Constant(counted.window.start_ms(now_ms)),
        "window_end": Constant(now_ms),
        "engagements": engagements,
        "engagement_rate": list(map(engagement_rate, engagements, counts["views"])),
        "cost_per_follow_dollars": list(map(cost_per_follow_dollars, costs, counts["follows"])),
        "cost_per_account_growth_dollars": list(map(cost_per_follow_dollars, costs, counts["account_growth"])),
        "revenue_projection_monthly_micros": projected,
        "viral_posts": Constant(None) if counted.viral_posts is None else counted.viral_posts.tolist(),
        **counts,
    }
    return OutputColumns(TOPIC, columns)


AT_ONCE = 100  # personas in one flush that cost no wait: low latency at low load
PERSONAS_PER_S = 2_000  # beyond those: each costs five updates to form, to encode and to append
LONGEST_WAIT_MS = 5_000


class TellingPace:
    """Bound how many personas are told in a second; times are epoch milliseconds of a clock that may step back.

    What is not told yet is told with what comes until then: the last counts are always told, at most
    `LONGEST_WAIT_MS` late.
    """

    def __init__(self) -> None:
        self._told_ms = 0
        self._wait_ms = 0

    def due(self, now_ms: int) -> bool:
        """Tell whether personas that have changed may be told now."""
        return not 0 <= now_ms - self._told_ms < self._wait_ms

    def told(self, personas: int, now_ms: int) -> None:
        """Note that so many personas were told."""
        self._told_ms = now_ms
        self._wait_ms = min(max(personas - AT_ONCE, 0) * 1_000 // PERSONAS_PER_S, LONGEST_WAIT_MS)


class ToldWindow:
    """The facts last told of each persona in one window."""

    def __init__(self, width: int) -> None:
        self._facts: Ints = np.zeros((0, width), dtype=np.int64)  # by persona number
        self._told: Bools = np.zeros(0, dtype=np.bool_)

    def news(self, personas: Ints, facts: Ints) -> Bools:
        """Return which personas' facts are not those last told, and take them as told; facts (personas, width)."""
        most = int(personas.max(initial=-1)) + 1
        self._facts, self._told = grown(self._facts, most), grown(self._told, most)
        new: Bools = ~self._told[personas] | (self._facts[personas] != facts).any(axis=1)
        self._facts[personas], self._told[personas] = facts, True
        return new


def _nothing_told() -> dict[str, ToldWindow]:
    return {window.name: ToldWindow(len(COUNTERS) + 2) for window in WINDOWS}


class MergePart(Part[RowBatch[KpiPartial]]):
    """The counters of the personas of a partition, and how far each source partition is applied to them."""

    def __init__(self, state: Iterable[tuple[bytes, bytes]], hidden: Hidden = NOTHING) -> None:
        self.counters = PersonaCounters()
        self._hidden = hidden
        self.told = _nothing_told()
        self._applied: dict[str, int] = {}  # last offset of the ranges added, by source partition
        self._added: set[str] = set()  # source partitions that were added to since the last flush
        self.catch_up_from: int | None = None
        self._has_caught_up = False
        self.counters.load(self._without_applied(state))

    def _without_applied(self, state: Iterable[tuple[bytes, bytes]]) -> Iterator[tuple[bytes, bytes]]:
        """Take what restored state says of sources, and yield the rest."""
        for key, value in state:
            if key.startswith(APPLIED):
                self._applied[key[len(APPLIED) :].decode()] = struct.unpack("<q", value)[0]
            elif key == CATCH_UP:
                self.catch_up_from = struct.unpack("<q", value)[0]
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
        panes, posts = read_panes(partial.panes), read_posts(partial.posts)
        if self._hidden:
            panes, posts = without_hidden(panes, posts, self._hidden, counted_ms(partial))
        self.counters.add(panes, posts, row.offset)
        self._applied[source] = partial.last_offset
        self._added.add(source)

    def hide(self, hidden: Hidden) -> None:
        """Leave out of partials that come what was counted of a persona before it was hidden."""
        self._hidden = hidden

    def applied(self) -> dict[str, int]:
        """Return for each source partition the last offset of the ranges added."""
        return dict(self._applied)

    def covers(self, source: str, last_offset: int) -> None:
        """Note that all of a source partition up to an offset is added, though its last range had nothing for here."""
        if last_offset > self._applied.get(source, -1):
            self._applied[source] = last_offset
            self._added.add(source)

    def has_caught_up(self) -> None:
        """Note that all partials there are were added: from the next checkpoint on the state needs no catching up."""
        self.catch_up_from, self._has_caught_up = None, True

    def flush(self) -> Effects:
        """Return what changed. The sources come last: who finds in the log how far one is applied has all its rows."""
        effects = Effects(changes=list(self.counters.take_state()))
        if self._has_caught_up and effects.changes:
            effects.changes.append((CATCH_UP, None))
            self._has_caught_up = False
        effects.changes += [
            (APPLIED + name.encode(), struct.pack("<q", self._applied[name])) for name in sorted(self._added)
        ]
        self._added.clear()
        return effects


class MergeStage(Stage[MergePart]):
    """Read partials, add each range of a source partition once, and tell each persona's windows.

    Reads kpi.partials, writes kpi.updates; agents/kpis/persona_counters.py decides. A window is told when its counts
    have changed, be it by events or because the clock moved panes out of it, which is looked at once a minute; when
    many personas change, a little later (agents/kpis/merge.py). What was not told before a stop or a crash is
    told after it, by whoever takes the partition over.
    """

    name = "merge"
    topics = (PARTIALS,)
    stateful = True

    def __init__(self, clock_ms: ClockMs = now_ms, read_partials: ReadPartials | None = None) -> None:
        self._clock_ms = clock_ms
        self._read_partials = read_partials
        self._swept_minute = 0
        self._pace = TellingPace()
        self._hidden = NOTHING

    def owner_of(self, key: bytes, value: bytes) -> str | None:
        """Return the persona of an entry; how far a source partition is applied is nobody's."""
        del value
        return None if key.startswith(APPLIED) or key == CATCH_UP else PersonaCounters.owner_of(key)

    def hide(self, hidden: Hidden) -> None:
        """Leave out of partials what was counted of a persona before it was hidden."""
        self._hidden = hidden

    async def take(self, source: TopicPartition, state: Iterable[tuple[bytes, bytes]]) -> MergePart:
        part = MergePart(state, self._hidden)
        if part.catch_up_from is not None and self._read_partials is not None:
            async for batch in self._read_partials(source, part.catch_up_from):
                await part.add(batch)
            part.has_caught_up()
        return part

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
