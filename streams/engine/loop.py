"""The checkpointed loop: what stands between the transport and a stage, and the only way anything consumes."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from streams.engine.batch import Batch, ColumnBatch, TopicPartition
from streams.engine.checkpoint import CheckpointClock, CheckpointLimits
from streams.engine.dead_letters import Letters
from streams.engine.decoding import Decoded, Decoder
from streams.engine.durability import Acknowledger, Appender, Durability
from streams.engine.exclusive import ExclusiveWork
from streams.engine.partition import Partition, Partitions
from streams.engine.retry import CircuitBreaker
from streams.engine.slices import Slice
from streams.engine.stage import AnyStage, Effects, LongStage, Rejection
from streams.quarantine.quarantine import Quarantine
from streams.quarantine.suspects import Step
from streams.state.changelogged import ChangeloggedState
from streams.state.duplicates import DuplicateFilter

logger = logging.getLogger(__name__)

RELEASE_TIMEOUT_S = 10.0  # for the last checkpoint before partitions go; far below the rebalance time-out
DRAIN_WITHIN_S = 5.0  # for what is under way, before that checkpoint: others wait for their partitions meanwhile
TICK_S = 0.02
TRIAL_WITHIN_S = 120.0  # for the work on records under suspicion, before the loop goes on without its end
MEMBER_FOR_S = 0.5  # after the group confirmed it: far below the time after which it would give partitions to another


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
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.stage = stage
        self.breaker = CircuitBreaker(f"{letters.consumer}/{stage.name}: something it needs")
        self.progress_at = monotonic()
        self.quarantine = quarantine
        quarantine.begin()
        self._decoder = decoder
        self._state = state
        self._partitions = Partitions(stage, state, duplicates, self.breaker)
        self._durability = Durability(state, appender, acknowledger, quarantine, self.breaker)
        self._acknowledger = acknowledger
        self._clock = CheckpointClock(limits)
        self._letters = letters
        self._monotonic = monotonic
        self._work = ExclusiveWork(stage.name)
        self._generation = -1
        self._owned: set[TopicPartition] = set()
        self._is_drained = False

    # slices

    async def receive(self, pieces: Sequence[Slice], generation: int) -> None:
        """Fold slices, and take a checkpoint whenever one is due. Slices of an earlier generation are void."""
        if isinstance(self.stage, LongStage):
            await self.stage.room()
        await self._work.run(self._receive_all(pieces, generation))

    async def _receive_all(self, pieces: Sequence[Slice], generation: int) -> None:
        if generation == self._generation and not self._work.is_broken:
            await self.breaker.until_available(self.stage.catch_up)
        for piece in pieces:
            await self._receive(piece, generation)

    async def _receive(self, piece: Slice, generation: int) -> None:
        if generation != self._generation or piece.source not in self._owned or self._work.is_broken:
            self._acknowledger.discard(piece)
            return
        partition, piece = await self._partitions.of(piece)
        fresh = partition.beyond(piece)
        if fresh is not piece:
            self._give_back_overlap(partition, piece, fresh)
        if fresh is not None:
            for step in self.quarantine.steps(fresh):
                await self._take(partition, step)

    async def _take(self, partition: Partition, step: Step) -> None:
        """Fold a step of a slice; one under suspicion stands alone between two checkpoints."""
        if not step.is_usual:
            await self._conclude()
        if step.suspect is not None and step.is_cause:  # it is dead-lettered without a look at it
            self.quarantine.set_aside()
            self._letters.add(step.part, [Rejection(each.offset, step.suspect.fault) for each in step.part.records])
            self._passed(partition, step.part)
            return
        await self._fold(partition, step.part)
        if not step.is_usual:
            await self._conclude()
        elif self._due():
            await self._checkpoint()

    async def _conclude(self) -> None:
        """Bring what is folded to its end, and make it durable: what ends the worker then has no other cause."""
        for _ in range(int(TRIAL_WITHIN_S / TICK_S)):
            if self._partitions.is_done:
                break
            if self._due():
                await self._checkpoint()
            await asyncio.sleep(TICK_S)
        if self._partitions.has_folded and self.quarantine.lets_through:
            await self._checkpoint()

    def _give_back_overlap(self, partition: Partition, piece: Slice, fresh: Slice | None) -> None:
        if fresh is not None:
            self._acknowledger.discard(replace(piece, size_bytes=piece.size_bytes - fresh.size_bytes))
        elif partition.folded:
            self._acknowledger.discard(piece)  # the next checkpoint acknowledges what lies behind it
        else:
            self._acknowledger.acknowledge(piece)  # durable already, but its commit got lost

    async def _fold(self, partition: Partition, piece: Slice) -> None:
        decoded = await self.breaker.until_available(lambda: self._decode(piece))
        batch = decoded.batch
        if partition.duplicates is not None and isinstance(batch, ColumnBatch):
            duplicates, events = partition.duplicates, batch
            await self.breaker.until_available(lambda: duplicates.warm_up(piece.first_offset))
            with self.quarantine.at_work(piece):
                batch = duplicates.without_repetitions(events)
        refused = list(decoded.rejections)
        if batch is not None:
            kept = batch
            refused += await self.breaker.until_available(lambda: self._add(partition, piece, kept))
        self._letters.add(piece, refused)
        self.quarantine.folded(piece)
        self._passed(partition, piece)

    async def _decode(self, piece: Slice) -> Decoded:
        with self.quarantine.at_work(piece):
            return self._decoder.decode(piece)

    async def _add(self, partition: Partition, piece: Slice, batch: Batch) -> list[Rejection]:
        with self.quarantine.at_work(piece):
            return list(await partition.part.add(batch))

    def _passed(self, partition: Partition, piece: Slice) -> None:
        age_s = time.time() - piece.records[-1].timestamp / 1000
        self._clock.folded(piece, self._acknowledger.behind(piece), age_s)
        if self.stage.done_by_add:
            self._acknowledger.discard(piece)
            piece = piece.bounds()
        partition.passed(piece)
        self.progress_at = self._monotonic()

    # checkpoints

    async def tick(self) -> None:
        """Take over partitions that are new and take the checkpoint that is due; called every `TICK_S`."""
        if self._owned - self._partitions.sources or self._due():
            await self._work.run(self._tick())

    async def _tick(self) -> None:
        await self._partitions.take_over(self._owned - self._partitions.sources)
        if self._due():
            await self._checkpoint()

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
        self._work.spoil()  # until all is durable: what a broken-off flush took from the stage is gone from memory
        effects = await self.breaker.until_available(self._flush)
        progress = [(partition, *partition.by_progress()) for partition in self._partitions]
        for source, each in effects.items():
            self._letters.add_late(self._partitions.held(source).folded, each.rejections)
        await self._durability.make_durable(effects, self._letters.waiting, self._generation)
        done = [piece for _, of_partition, _ in progress for piece in of_partition]
        for piece in done:
            self._acknowledger.acknowledge(piece)
        for partition, _, rest in progress:
            partition.folded = rest
        self._letters.forget()
        self._work.mend()
        self.quarantine.durable(done, [piece for _, _, rest in progress for piece in rest])
        await self._acknowledger.commit()
        self._clock.finished(started, self._monotonic())
        self.progress_at = self._monotonic()

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
            self._owned = set()
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
            self._work.mend()
            self._owned, self._generation = owned, generation
            self._is_drained = False
            if isinstance(self.stage, LongStage):
                self.stage.resume()

    async def forget(self, sources: set[TopicPartition]) -> None:
        """Drop partitions that are another log now, before an assignment would keep what is known of the old one."""
        async with self._work.between():
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
