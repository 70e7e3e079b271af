"""The checkpointed loop: what stands between the transport and a stage, and the only way anything consumes."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

from streams.engine.batch import Slice, TopicPartition
from streams.engine.checkpoint import Acknowledger, Appender, CheckpointClock, CheckpointLimits, Durability
from streams.engine.dead_letters import Letters
from streams.engine.decoding import Decoder
from streams.engine.exclusive import ExclusiveWork
from streams.engine.folding import Folding
from streams.engine.health import Doing, Fetching, LoopNow
from streams.engine.loop_counters import LoopCounters
from streams.engine.partition import Partition, Partitions
from streams.engine.readings import Reading, breaker_readings
from streams.engine.retry import CircuitBreaker
from streams.engine.stage import AnyStage, Effects, LongStage
from streams.engine.stops import Stops
from streams.metrics import WORKER_BREAKER_STATE, WORKER_CHECKPOINT_AGE, WORKER_PARTITIONS, WORKER_STATE
from streams.quarantine.quarantine import Quarantine
from streams.quarantine.suspects import Step
from streams.state.changelogged import ChangeloggedState
from streams.state.duplicates import DuplicateFilter, Refused
from streams.transport.log_lives import log_offset

logger = logging.getLogger(__name__)

RELEASE_TIMEOUT_S = 10.0  # for the last checkpoint before partitions go; far below the rebalance time-out
DRAIN_WITHIN_S = 5.0  # for what is under way, before that checkpoint: others wait for their partitions meanwhile
TICK_S = 0.02
TRIAL_WITHIN_S = 120.0  # for the work on records under suspicion, before the loop goes on without its end


class CheckpointedLoop:
    """Drive one stage through slices and checkpoints.

    A slice is decoded and folded (`Part.add`). At a checkpoint the stage's effects are made durable, in this order:
    state to the changelog, outputs and dead letters to their topics, each acknowledged by the broker; then the state to
    the local store; then the slices are acknowledged and their offsets committed. After a crash anywhere in between,
    slices come again from the last commit, and stamps in the state or ids in the outputs keep them from counting twice.

    Records with which the worker ended before are taken in steps of their own, until the one is found that is the cause
    (`Quarantine`).

    What touches the stage is exclusive work. A rebalance calls `release` while partitions are still ours, then
    `assign`; what could not be made durable in time is forgotten and read again by whoever has the partition then.
    """

    def __init__(
        self,
        *,
        stage: AnyStage,
        decoder: Decoder,
        duplicates: Callable[[TopicPartition], DuplicateFilter] | None,
        state: ChangeloggedState | None,
        appender: Appender,
        acknowledger: Acknowledger,
        limits: CheckpointLimits,
        quarantine: Quarantine,
        letters: Letters,
        refused: Refused | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.stage = stage
        self.breaker = CircuitBreaker(f"{letters.consumer}/{stage.name}: something it needs", monotonic=monotonic)
        self.progress_at = monotonic()
        self._came_at = monotonic()  # slices, or partitions; `progress_at` moves with idle flushes too
        self._began_at = monotonic()  # the piece of work that is under way
        self._step = ""
        self._is_in_room = self._is_trial = False
        self.quarantine = quarantine
        quarantine.begin()
        self._state = state
        self._partitions = Partitions(stage, state, duplicates, self.breaker)
        self._durability = Durability(state, appender, acknowledger, quarantine, self.breaker)
        self._acknowledger = acknowledger
        self._clock = CheckpointClock(limits)
        self._letters = letters
        self._counters = LoopCounters(stage, letters)
        self._stops = Stops(letters, acknowledger, monotonic)
        self._folding = Folding(
            self,
            decoder=decoder,
            breaker=self.breaker,
            quarantine=quarantine,
            letters=letters,
            stops=self._stops,
            refused=refused,
        )
        self._monotonic = monotonic
        self._work = ExclusiveWork(stage.name)
        self._generation = -1
        self._owned: set[TopicPartition] = set()
        self._is_drained = False
        self._is_joined = False

    def now(self, fetching: Fetching) -> LoopNow:
        """Return where it is at the moment."""
        held = {each.source: each for each in self._partitions}
        positions = {source: held[source].next_offset if source in held else None for source in self._owned}
        newest = {source: fetching.newest(source) for source in self._owned}
        behind = sum(
            max(end - (position or 0), 0)
            for source, position in positions.items()
            if position is not None and (end := newest[source]) is not None and not self._stops.waits(source)
        )
        doing = self._doing()
        moved_at = self._came_at if doing == "nothing" else max(self.progress_at, self._began_at, self._came_at)
        return LoopNow(
            stage=self.stage.name,
            topics=self.stage.topics,
            is_joined=self._is_joined,
            owned=frozenset(self._owned),
            positions=positions,
            restoring=frozenset(self._owned - held.keys()),
            doing=doing,
            step=self._step,
            progress_s=self._monotonic() - max(moved_at, self.breaker.changed_at),
            breaker=self.breaker.state,
            waits_for=self.breaker.reason,
            has_long_calls=isinstance(self.stage, LongStage) and not self._partitions.is_done,
            behind=behind,
            is_full=any(fetching.is_full(source) for source in self._owned),
            stopped={each.source: each.text for each in self._stops},
        )

    def _doing(self) -> Doing:
        if self._is_trial:
            return "trial"
        if self._work.is_under_way:
            return "work"
        return "room" if self._is_in_room else "nothing"

    def readings(self) -> Iterator[Reading]:
        """Yield what the loop and its stage tell of themselves now."""
        name = self.stage.name
        yield from breaker_readings(WORKER_BREAKER_STATE, (name,), self.breaker.state)
        yield Reading(WORKER_CHECKPOINT_AGE, (name,), self._monotonic() - self.progress_at)
        yield Reading(WORKER_PARTITIONS, (name,), len(self._partitions.sources))
        yield from self._counters.readings()
        yield from self._stops.readings(name)
        if self._state is not None:
            for topic, size in self._state.sizes().items():
                yield Reading(WORKER_STATE, (name, topic), size)
        yield from self.stage.readings()

    # slices

    async def receive(self, pieces: Sequence[Slice], generation: int) -> None:
        """Fold slices, and take a checkpoint whenever one is due. Slices of an earlier generation are void."""
        if isinstance(self.stage, LongStage):
            self._is_in_room = True
            try:
                await self.stage.room()
            finally:
                self._is_in_room = False
        await self._work.run(self._receive_all(pieces, generation))

    async def _receive_all(self, pieces: Sequence[Slice], generation: int) -> None:
        self._came_at = self._began_at = self._monotonic()
        self._step = "learns what the records that came refer to"
        if generation == self._generation and not self._work.is_broken:
            await self.breaker.until_available(self.stage.catch_up)
        for piece in pieces:
            await self._receive(piece, generation)

    async def _receive(self, piece: Slice, generation: int) -> None:
        is_ours = generation == self._generation and piece.source in self._owned and not self._work.is_broken
        if not is_ours or self._stops.is_void(piece):
            self.discard(piece)
            return
        if piece.source not in self._partitions.sources:
            await self._take_over({piece.source})
        partition, piece = await self._partitions.of(piece)
        self._step = f"folds {piece.source.topic}/{piece.source.partition} from offset {log_offset(piece.first_offset)}"
        fresh = partition.beyond(piece)
        if fresh is not piece:
            self._give_back_overlap(partition, piece, fresh)
        if fresh is not None:
            for step in self.quarantine.steps(fresh):
                await self._take(partition, step)

    async def _take(self, partition: Partition, step: Step) -> None:
        """Fold a step of a slice; one under suspicion stands alone between two checkpoints."""
        if not step.is_usual:
            await self.conclude()
        if self._stops.waits(partition.source):
            self.discard(step.part)
            return
        if step.suspect is not None and step.is_cause:  # it is refused without a look at it
            self.quarantine.set_aside()
            await self._folding.set_aside(partition, step.part, step.suspect.fault)
            return
        await self._folding.fold(partition, step.part)
        if not step.is_usual:
            await self.conclude()
        elif self._due():
            await self._checkpoint()

    async def conclude(self) -> None:
        """Bring what is folded to its end, and make it durable: what ends the worker then has no other cause."""
        self._is_trial = True
        try:
            await self._concluded()
        finally:
            self._is_trial, self._began_at = False, self._monotonic()

    async def _concluded(self) -> None:
        for _ in range(int(TRIAL_WITHIN_S / TICK_S)):
            if self._partitions.is_done:
                break
            if self._due():
                await self._checkpoint()
            await asyncio.sleep(TICK_S)
        if self._partitions.has_folded and self.quarantine.lets_through:
            await self._checkpoint()

    def discard(self, piece: Slice) -> None:
        """Let a slice go: it is read again, or somebody else has it."""
        self._acknowledger.discard(piece)

    def _give_back_overlap(self, partition: Partition, piece: Slice, fresh: Slice | None) -> None:
        if fresh is not None:
            self._acknowledger.discard(replace(piece, size_bytes=piece.size_bytes - fresh.size_bytes))
        elif partition.folded:
            self._acknowledger.discard(piece)  # the next checkpoint acknowledges what lies behind it
        else:
            self._acknowledger.acknowledge(piece)  # durable already, but its commit got lost

    def passed(self, partition: Partition, piece: Slice) -> None:
        """Note that the partition is behind a slice."""
        age_s = time.time() - piece.records[-1].timestamp / 1000
        self._clock.folded(piece, self._acknowledger.behind(piece), age_s)
        self._counters.folded(piece)
        if self.stage.done_by_add:
            self._acknowledger.discard(piece)
            piece = piece.bounds()
        partition.passed(piece)
        self.progress_at = self._came_at = self._monotonic()

    # checkpoints

    async def tick(self) -> None:
        """Take over partitions that are new and take the checkpoint that is due; called every `TICK_S`."""
        if self._owned - self._partitions.sources or self._due() or self._stops.due():
            await self._work.run(self._tick())

    async def _tick(self) -> None:
        self._began_at = self._monotonic()
        await self._take_over(self._owned - self._partitions.sources)
        if self._due():
            await self._checkpoint()
        for stop in self._stops.due():
            if stop.source in self._partitions.sources:
                self._partitions.held(stop.source).refused = None  # somebody may have let the record pass
            await self._stops.try_again(stop)

    async def _take_over(self, new: set[TopicPartition]) -> None:
        if new:
            self._step = "takes partitions over"
            await self._partitions.take_over(new)
            self._came_at = self._began_at = self._monotonic()

    def _due(self) -> bool:
        if self._work.is_broken:  # effects are missing: a checkpoint would acknowledge what they were made of
            return False
        if not self.quarantine.lets_through:
            return False
        if not (self._partitions.has_done or self.stage.idle_flush_due(self._partitions.parts.values())):
            return False
        return self._clock.due(self._monotonic())

    async def _checkpoint(self) -> None:
        started = self._monotonic()
        self._step = "makes a checkpoint"
        self._work.spoil()  # until all is durable: what a broken-off flush took from the stage is gone from memory
        effects = await self.breaker.until_available(self._flush)
        late = self._stops.late(effects)
        progress = [(each, *each.by_progress(late.get(each.source))) for each in self._partitions]
        for source, each in effects.items():
            if source not in late:
                self._letters.add_late(self._partitions.held(source).folded, each.rejections)
        await self._durability.make_durable(effects, self._letters.waiting, self._generation)
        done = [piece for _, of_partition, _ in progress for piece in of_partition]
        for piece in done:
            self._acknowledger.acknowledge(piece)
        for partition, _, rest in progress:
            partition.folded = rest
            partition.durable()
        self._counters.durable(effects, self._letters)
        self._letters.forget()
        self._work.mend()
        self._stops.durable(done)
        self.quarantine.durable(done, [piece for _, _, rest in progress for piece in rest])
        self._step = "commits the offsets of a checkpoint"
        await self._acknowledger.commit()
        self.progress_at = self._monotonic()
        self._clock.finished(started, self.progress_at)
        self._counters.checkpointed(self.progress_at - started)
        for source, refusal in late.items():
            await self.roll_back(source)
            self._stops.stop(source, refusal.offset, refusal.fault)

    async def roll_back(self, source: TopicPartition) -> None:
        """Forget what of a partition is not durable, which is read again."""
        for piece in self._partitions.held(source).folded:
            self.discard(piece)
        await self._leave(source)

    async def _flush(self) -> Mapping[TopicPartition, Effects]:
        with self.quarantine.at_work():
            return await self.stage.flush(self._partitions.parts)

    # partitions

    async def release(self) -> None:
        """Make everything durable, because partitions may go: within `RELEASE_TIMEOUT_S`, or not at all.

        Before, what is under way has `DRAIN_WITHIN_S` to come to an end, once until the next assignment.
        A worker that is no member of the group any more gives up at once: others have its partitions already.
        """
        within_s = DRAIN_WITHIN_S
        is_at_work = self._partitions.has_folded or self._work.is_under_way
        if is_at_work and not await self._acknowledger.is_member(self._generation):
            self._work.interrupt()
            self._work.spoil()
            within_s = 0.0
        has_news = await self._drain(within_s)
        async with self._work.between(RELEASE_TIMEOUT_S):
            self._owned, self._is_joined, self._came_at = set(), False, self._monotonic()
            if (self._partitions.has_folded or has_news) and not self._work.is_broken and self.quarantine.lets_through:
                await self._last_checkpoint()

    async def _last_checkpoint(self) -> None:
        try:
            async with asyncio.timeout(RELEASE_TIMEOUT_S):
                await self._checkpoint()
        except TimeoutError:
            logger.warning(
                "%s: no checkpoint within %.0f s before a rebalance; its slices are read again",
                self.stage.name,
                RELEASE_TIMEOUT_S,
            )

    async def _drain(self, within_s: float) -> bool:
        if self._is_drained or not isinstance(self.stage, LongStage):
            return False
        self._is_drained = True
        is_lost = self._work.is_broken and not self._work.is_under_way  # what is under way may mend it
        return await self.stage.drain(0.0 if is_lost else within_s)

    async def assign(self, owned: set[TopicPartition], generation: int) -> None:
        """Take over the assignment of a generation of the group, before any slice of it comes.

        State of a partition we had, and the work on its records, is kept only when this generation follows ours at
        once, so that nobody else can have had it in between, and no checkpoint was broken off.
        """
        async with self._work.between():
            is_clean = not self._work.is_broken and generation == self._generation + 1
            kept = owned if is_clean and not self._letters.waiting else set[TopicPartition]()
            for source in sorted(self._partitions.sources - kept):
                await self._leave(source)
            for partition in self._partitions:
                partition.without_bytes()
            self._letters.forget()
            self._stops.forget()
            self._work.mend()
            self._owned, self._generation = owned, generation
            self._is_joined, self._came_at = True, self._monotonic()
            self._counters.assigned()
            self._is_drained = False
            if isinstance(self.stage, LongStage):
                self.stage.resume()

    async def forget(self, sources: set[TopicPartition]) -> None:
        """Drop partitions that are another log now, before an assignment would keep what is known of the old one."""
        async with self._work.between():
            self._stops.forget(sources)
            for source in sorted(self._partitions.sources & sources):
                await self._leave(source)

    async def _leave(self, source: TopicPartition) -> None:
        await self._partitions.leave(source)
        self.quarantine.forget(source)

    async def stop(self) -> None:
        """Close the stage and its state; `release` has made durable what could be."""
        async with self._work.between():
            for source in self._partitions.sources:
                await self._partitions.leave(source)
            await self.stage.close()
            if self._state is not None:
                self._state.close()
