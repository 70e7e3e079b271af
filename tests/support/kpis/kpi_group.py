"""The kpis role in memory: two workers that share the partitions of fold and merge, and all that can befall them."""

from __future__ import annotations

from collections.abc import Coroutine, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from agents.kpis.counters import SOURCE_TOPICS
from agents.kpis.fold import FoldStage
from agents.kpis.merge import MergeStage
from agents.kpis.partials import TOPIC as PARTIALS
from schemas.catalogue import topic_named
from schemas.records import DeadLetter, KpiUpdate
from streams.engine.batch import TopicPartition
from streams.engine.stage import Output, OutputColumns
from streams.state.changelogged import Changes
from tests.support.kpis.kpi_reference import Event, Logged
from tests.support.loop_in_memory import ROWS, StageWorker, Surroundings
from tests.support.single_outputs import single

SLOTS = ("a", "b")
SOURCES = tuple(TopicPartition(topic, partition) for topic in SOURCE_TOPICS for partition in range(2))

Append = Literal["state", "outputs"]
StageName = Literal["fold", "merge"]
STAGES: tuple[StageName, ...] = ("fold", "merge")


class PowerCut(Exception):
    """The end of a worker between two operations, or in the middle of one."""


@dataclass(frozen=True, slots=True)
class Tear:
    """An append that breaks off: only so many records get to each partition of even, and of odd number."""

    operation: Append
    arriving: tuple[int, int]
    error: Exception


class StageSurroundings(Surroundings):
    """What outlives the workers of a stage; `tear` is met by the next append of its kind."""

    def __init__(self) -> None:
        super().__init__()
        self.tear: Tear | None = None

    async def append(self, source: TopicPartition, changes: Changes) -> int:
        tear = self._met_tear("state")
        if tear is not None:
            await super().append(source, changes[: tear.arriving[source.partition % 2]])
            raise tear.error
        return await super().append(source, changes)

    async def append_all(self, outputs: Iterable[Output | OutputColumns]) -> None:
        tear = self._met_tear("outputs")
        if tear is not None:
            await super().append_all(_first(single(outputs), tear.arriving))
            raise tear.error
        await super().append_all(outputs)

    def _met_tear(self, operation: Append) -> Tear | None:
        tear = self.tear
        if tear is None or tear.operation != operation:
            return None
        self.tear = None
        return tear

    def spare(self) -> None:
        """Let no further fault be met."""
        self.faults.clear()
        self.tear = None


class FoldSurroundings(StageSurroundings):
    """The fold's surroundings: partials that it writes are in the log that the merge reads."""

    def __init__(self, merge: Surroundings) -> None:
        super().__init__()
        self._merge = merge

    async def append_all(self, outputs: Iterable[Output | OutputColumns]) -> None:
        before = len(self.outputs)
        try:
            await super().append_all(outputs)
        finally:
            for output in self.outputs[before:]:
                if output.partition is not None:
                    value = ROWS.encode(topic_named(output.topic), output.record)
                    self._merge.produce(value, TopicPartition(output.topic, output.partition))


def _first(outputs: Iterable[Output], arriving: tuple[int, int]) -> list[Output]:
    of: dict[int, list[Output]] = {}
    for output in outputs:
        of.setdefault(output.partition or 0, []).append(output)
    return [output for partition, part in of.items() for output in part[: arriving[partition % 2]]]


@dataclass(frozen=True, slots=True)
class KpiWorker:
    """One life of a worker: the two stages of the role."""

    fold: StageWorker
    merge: StageWorker

    def of(self, source: TopicPartition) -> StageWorker:
        return self.merge if source.topic == PARTIALS else self.fold


@dataclass
class KpiGroup:
    """Two workers of the kpis role, what they share, and the clock (ms) that all of them read."""

    targets: int
    horizon: int
    now_ms: int
    merge: StageSurroundings = field(default_factory=StageSurroundings)
    generation: int = 0
    log: list[Logged] = field(default_factory=list)
    refused: set[tuple[TopicPartition, int]] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.fold = FoldSurroundings(self.merge)
        self.sources = (*SOURCES, *(TopicPartition(PARTIALS, number) for number in range(self.targets)))
        self.workers = [self._worker(slot) for slot in SLOTS]
        self.owners = [number % len(SLOTS) for number in range(len(self.sources))]
        self.asleep: int | None = None

    def _worker(self, slot: str) -> KpiWorker:
        fold, merge = FoldStage(self.targets, lambda: self.now_ms), MergeStage(lambda: self.now_ms)
        return KpiWorker(
            StageWorker(self.fold, fold, f"{slot}.fold", self.horizon), StageWorker(self.merge, merge, f"{slot}.merge")
        )

    # the world around

    def produce(self, event: Event, source: TopicPartition, *, hole: int) -> None:
        """Append an event that is to be counted."""
        record = self.fold.produce(ROWS.encode(topic_named(source.topic), event), source, hole=hole)
        self.log.append(Logged(source, record.offset, event, self.now_ms, self.now_ms))

    def produce_refused(self, value: bytes, source: TopicPartition) -> None:
        """Append a record that can only become a dead letter."""
        self.refused.add((source, self.fold.produce(value, source).offset))

    def set_clock(self, now_ms: int) -> None:
        """Set the clock, forward or back; events that are not committed yet may be counted at the new time."""
        self.now_ms = now_ms
        for number, each in enumerate(self.log):
            if each.offset >= self.fold.committed.get(each.source, 0):
                earliest, latest = min(each.earliest_ms, now_ms), max(each.latest_ms, now_ms)
                self.log[number] = replace(each, earliest_ms=earliest, latest_ms=latest)

    def told(self) -> list[KpiUpdate]:
        return [output.record for output in self.merge.outputs if isinstance(output.record, KpiUpdate)]

    def letters(self) -> set[tuple[TopicPartition, int]]:
        """Return the places of the records that are dead letters, of either stage."""
        records = [output.record for output in (*self.fold.outputs, *self.merge.outputs)]
        return {
            (TopicPartition(each.source_topic, each.source_partition), each.source_offset)
            for each in records
            if isinstance(each, DeadLetter)
        }

    # the workers

    async def rebalance(self, owners: Sequence[int], asleep: int | None = None) -> None:
        """Give each of `sources` to a slot; a worker that is asleep hears nothing of it, and the other owns all."""
        self.generation += 1
        self.owners = list(owners) if asleep is None else [1 - asleep] * len(self.sources)
        self.asleep = asleep
        for slot in range(len(SLOTS)):
            if slot != asleep:
                await self._outlives(slot, self._release(slot))
        for slot, worker in enumerate(self.workers):
            for stage in (worker.fold, worker.merge):
                if slot == asleep:
                    stage.transport.generation = self.generation
                else:
                    await stage.join(self.generation, *self._owned(slot, stage))

    async def _release(self, slot: int) -> None:
        await self.workers[slot].fold.loop.release()
        await self.workers[slot].merge.loop.release()

    def _owned(self, slot: int, stage: StageWorker) -> list[TopicPartition]:
        given = zip(self.sources, self.owners, strict=True)
        return [source for source, owner in given if owner == slot and source.topic in stage.loop.stage.topics]

    async def deliver(self, source: TopicPartition, most: int, *, due: bool = False) -> bool:
        """Hand a partition's next slice to its owner; with a checkpoint if `due`; tell if there was one."""
        slot = self.owners[self.sources.index(source)]
        worker = self.workers[slot].of(source)
        worker.now += due
        before = worker.transport.position[source]
        await self.work(slot, worker.deliver(most, source))
        return worker.transport.position.get(source, before) != before

    async def checkpoint(self, stage: StageName) -> None:
        """Take a checkpoint of a stage in every worker that is awake."""
        for slot in range(len(SLOTS)):
            if slot != self.asleep:
                worker = self.workers[slot]
                await self.work(slot, (worker.fold if stage == "fold" else worker.merge).checkpoint())

    async def crash(self, slot: int, *, store_lost: bool) -> None:
        if store_lost:
            self.fold.lose_stores(f"{SLOTS[slot]}.fold")
            self.merge.lose_stores(f"{SLOTS[slot]}.merge")
        self.workers[slot] = self._worker(SLOTS[slot])
        await self.rebalance(self.owners)

    async def work(self, slot: int, work: Coroutine[None, None, object]) -> None:
        """Let a worker do something; if it dies it is started again and the group rebalances."""
        if not await self._outlives(slot, work):
            await self.rebalance(self.owners)

    async def _outlives(self, slot: int, work: Coroutine[None, None, object]) -> bool:
        try:
            await work
        except PowerCut:
            self.workers[slot] = self._worker(SLOTS[slot])
            return False
        return True

    async def settle(self, most: int) -> None:
        """Let everything that is left be processed, in slices of `most`, without further faults."""
        self.fold.spare()
        self.merge.spare()
        if self.asleep is not None:
            await self.rebalance(self.owners)
        for stage in STAGES:
            for source in self.sources:
                if (source.topic == PARTIALS) == (stage == "merge"):
                    while await self.deliver(source, most):
                        pass
            await self.checkpoint(stage)
