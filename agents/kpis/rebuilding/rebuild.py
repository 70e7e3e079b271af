"""A rebuild from its beginning to its end: build, compare, write beside, switch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from agents.kpis.hour_fold import with_times_of
from agents.kpis.merge import MergePart
from agents.kpis.partial_log import read_partials
from agents.kpis.partials import TOPIC as PARTIALS
from agents.kpis.rebuilding.comparing import Difference, differences
from agents.kpis.rebuilding.log import ROLE, Source, kept_states, of_the_stage, slices
from agents.kpis.rebuilding.state import RebuiltState
from agents.kpis.rebuilding.versions import STAGE, changelog_of, drop, live_version, versions, write
from schemas.records import LogPosition
from streams.engine.batch import ColumnBatch, Row, RowBatch, TopicPartition
from streams.engine.decoding import Decoder
from streams.errors import ThreadsError
from streams.kafka.cluster import Cluster
from streams.kafka.hidden import Hidden
from streams.kafka.log_reader import hidden_now, log_bounds
from streams.kafka.topics import partition_counts
from streams.operations.runs import ToldRun, is_under_way, read_runs
from streams.state.versions import switch
from streams.transport.log_lives import log_offset
from streams.wall_clock import now_ms

TARGET = "kpis"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be done with what was built."""

    switch: bool = False
    accept_differences: bool = False


@dataclass(slots=True)
class Outcome:
    """What came of a rebuild; `compared` is False where there was no live state to compare with."""

    version: int = 0
    live: int = 0
    events: int = 0
    sources: list[Source] = field(default_factory=list)
    compared: bool = False
    differences: list[Difference] = field(default_factory=list)
    switched: bool = False

    @property
    def unexplained(self) -> list[Difference]:
        """Return the differences that the clock of a worker does not explain."""
        return [each for each in self.differences if not each.is_by_the_clock]


class Differs(ThreadsError):
    """The rebuilt state is not the live one: nothing was switched."""


async def check_alone(cluster: Cluster) -> None:
    """Refuse to begin a second rebuild at the same time.

    Raises:
        ThreadsError: another one is under way; the text says whose.
        Unavailable: the broker is away.
    """
    for run in (await read_runs(cluster)).values():
        is_one = (run.operation, run.target, run.status) == ("rebuild", TARGET, "running")
        if is_one and await is_under_way(cluster, run):
            raise ThreadsError(f"the KPI state is being rebuilt by {run.requested_by} (run {run.run_id}): wait for it")


class KpiRebuild:
    """One rebuild; `remark` is told what people should know of it."""

    def __init__(
        self,
        cluster: Cluster,
        told: ToldRun,
        outcome: Outcome,
        remark: Callable[[str], None],
        on_read: Callable[[int], None],
    ) -> None:
        self._cluster = cluster
        self._told = told
        self._outcome = outcome
        self._remark = remark
        self._on_read = on_read

    async def run(self, wanted: Wanted) -> None:
        """Rebuild from the outcome's sources, compare, write the version and, where wanted, make it the live one.

        Raises:
            Differs: it differs, and differences are not accepted; the version is there all the same.
            ThreadsError: there is nothing to rebuild from.
            Unavailable: the broker is away; nothing was switched, run it again.
        """
        cluster, outcome = self._cluster, self._outcome
        await self._clean_up()
        if not outcome.sources:
            raise ThreadsError("there is nothing to rebuild: the role kpis has not counted anything yet")
        for each in outcome.sources:
            if each.is_cut:
                self._remark(f"{each.source.topic}/{each.source.partition}: the log no longer has its beginning")
        hidden = await hidden_now(cluster)
        state = await self._built(hidden)
        live = await self._live_parts(len(state.parts), hidden)
        starts = [await self._aligned(target, state, live[target]) for target in range(len(live))]
        outcome.compared = any(part.applied() for part in live)
        if outcome.compared:
            at_ms = now_ms()
            for old, new in zip(live, state.parts, strict=True):
                outcome.differences += differences(old.counters, new.counters, at_ms)
        await write(cluster, outcome.version, state.parts, starts)
        await self._told.tell(read=outcome.events, written=outcome.events)
        if wanted.switch:
            await self._switch(accept_differences=wanted.accept_differences)

    async def _clean_up(self) -> None:
        """Drop what rebuilds before this one left behind that never became live."""
        there = await versions(self._cluster)
        self._outcome.live = live = await live_version(self._cluster)
        for each in there:
            if each.number > live:
                await drop(self._cluster, each.number)
                self._remark(f"version {each.number}, of a rebuild that was not switched to, is dropped")
        self._outcome.version = max([live, *(each.number for each in there)]) + 1

    async def _built(self, hidden: Hidden) -> RebuiltState:
        cluster = self._cluster
        targets = (await partition_counts(cluster, [PARTIALS]))[PARTIALS]
        state = RebuiltState(targets, cluster.settings.duplicate_horizon)
        decoder = Decoder(cluster.open_registry(), cluster.settings, lambda: hidden)
        read, next_of = 0, {each.source: each.start for each in self._outcome.sources}
        async for part in slices(cluster, self._outcome.sources):
            batch = decoder.decode(part).batch
            if isinstance(batch, ColumnBatch):
                await state.add(with_times_of(batch, part.records))
            read += len(part.records)
            next_of[part.source] = log_offset(part.last_offset) + 1
            self._on_read(len(part.records))
            await self._told.progress(read=read, positions=self._positions(next_of))
        await state.settle()
        self._outcome.events = state.events
        for merged in state.parts:
            merged.hide(hidden)  # partials of the log may be from before; those made here are without what is hidden
            for each in self._outcome.sources:
                merged.covers(f"{each.source.topic}/{each.source.partition}", each.last_offset)
        return state

    def _positions(self, next_of: dict[TopicPartition, int]) -> tuple[LogPosition, ...]:
        return tuple(
            LogPosition(
                topic=each.source.topic,
                partition=each.source.partition,
                start=each.start,
                next=next_of[each.source],
                end=each.end,
            )
            for each in self._outcome.sources
        )

    async def _live_parts(self, targets: int, hidden: Hidden) -> list[MergePart]:
        kept = await kept_states(self._cluster, changelog_of(self._outcome.live))
        return [MergePart(of_the_stage(kept.get(target, {})), hidden) for target in range(targets)]

    async def _aligned(self, target: int, state: RebuiltState, live: MergePart) -> int:
        """Bring both states to where the further of them is; return the offset from which partials lack in the new one.

        The live one may be behind what is folded, for its partials wait; or ahead, for it counted on meanwhile.
        """
        source = TopicPartition(PARTIALS, target)
        new, upto = state.parts[target], dict(live.applied())
        for name, last in new.applied().items():
            upto[name] = max(last, upto.get(name, -1))
        start, end = await log_bounds(self._cluster, source)
        lacking = end
        async for batch in read_partials(self._cluster, source, start, end):
            for row in batch.rows:
                partial = row.record
                name = f"{partial.source_topic}/{partial.source_partition}"
                if partial.last_offset <= upto.get(name, -1):
                    await live.add(RowBatch(source, [Row(row.offset, partial)]))
                    await state.merge(target, [partial])
                else:
                    lacking = min(lacking, row.offset)
        return lacking

    async def _switch(self, *, accept_differences: bool) -> None:
        outcome, run = self._outcome, self._told.run
        if outcome.unexplained and not accept_differences:
            raise Differs(
                f"{len(outcome.unexplained):,} counters differ: version {outcome.live} stays the live one. "
                "Look at them, and add --accept-differences where the rebuilt ones are right"
            )
        await switch(self._cluster, ROLE, STAGE, outcome.version, run_id=run.run_id, requested_by=run.requested_by)
        outcome.switched = True
