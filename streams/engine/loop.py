"""The checkpointed loop: what stands between the transport and a stage, and the only way anything consumes."""

from __future__ import annotations

import asyncio
import logging
import sys
import time
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Protocol

from streams.engine.batch import Batch, ColumnBatch, TopicPartition
from streams.engine.checkpoint import CheckpointClock, CheckpointLimits
from streams.engine.dead_letters import dead_letter
from streams.engine.decoding import Decoded, Decoder
from streams.engine.duplicates import DuplicateFilter
from streams.engine.log_lives import in_life, log_offset
from streams.engine.quarantine import Quarantine
from streams.engine.retry import CircuitBreaker
from streams.engine.slices import Slice
from streams.engine.stage import Effects, Output, OutputColumns, Rejection, Stage
from streams.engine.suspects import Step
from streams.errors import ThreadsError, Unavailable
from streams.state.changelogged import Appended, ChangeloggedState

logger = logging.getLogger(__name__)

RELEASE_TIMEOUT_S = 10.0  # for the last checkpoint before partitions go; far below the rebalance time-out
SETTLE_WITHIN_S = 5.0  # for what is under way, before that checkpoint: others wait for their partitions meanwhile
TICK_S = 0.02
TRIAL_WITHIN_S = 120.0  # for the work on records under suspicion, before the loop goes on without its end
MEMBER_FOR_S = 0.5  # after the group confirmed it: far below the time after which it would give partitions to another


class SliceMissing(ThreadsError):
    """Records between two slices never came: going on would lose them, so the worker starts again."""


class Acknowledger(Protocol):
    """The transport's side of a checkpoint."""

    def behind(self, part: Slice) -> int: ...
    def acknowledge(self, part: Slice) -> None: ...
    def discard(self, part: Slice) -> None: ...
    async def commit(self) -> object: ...
    async def is_member(self, generation: int, max_age_s: float = 0.0) -> bool: ...


class Appender(Protocol):
    """Appends records to topics and waits for every acknowledgement; `Unavailable` when the broker is away."""

    async def append_all(self, outputs: Iterable[Output | OutputColumns]) -> None: ...


class CheckpointedLoop:
    """Drive one stage through slices and checkpoints.

    A slice is decoded and folded (`Stage.add`). At a checkpoint the stage's effects are made durable, in this order:
    state to the changelog, outputs and dead letters to their topics, each acknowledged by the broker; then the state to
    the local store; then the slices are acknowledged and their offsets committed. After a crash anywhere in between,
    slices come again from the last commit, and stamps in the state or ids in the outputs keep them from counting twice.

    Records with which the worker ended before are taken in steps of their own, until the one is found that is the cause
    (`Quarantine`).

    Everything that touches the stage holds one lock. A rebalance calls `release` while partitions are still ours, then
    `assign`; what could not be made durable in time is forgotten and read again by whoever has the partition then.
    """

    def __init__(
        self,
        *,
        consumer_name: str,
        stage: Stage,
        decoder: Decoder,
        duplicates: DuplicateFilter | None,
        state: ChangeloggedState | None,
        appender: Appender,
        acknowledger: Acknowledger,
        limits: CheckpointLimits,
        quarantine: Quarantine,
        max_letter_bytes: int,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.stage = stage
        self.breaker = CircuitBreaker(f"{consumer_name}/{stage.name}: something it needs")
        self.progress_at = monotonic()
        self.quarantine = quarantine
        quarantine.begin()
        self._consumer_name = consumer_name
        self._decoder = decoder
        self._duplicates = duplicates
        self._state = state
        self._appender = appender
        self._acknowledger = acknowledger
        self._clock = CheckpointClock(limits)
        self._max_letter_bytes = max_letter_bytes
        self._monotonic = monotonic
        self._lock = asyncio.Lock()
        self._work: asyncio.Task[None] | None = None
        self._generation = -1
        self._owned: set[TopicPartition] = set()
        self._restored: set[TopicPartition] = set()
        self._position: dict[TopicPartition, int] = {}
        self._folded: list[Slice] = []
        self._letters: list[Output] = []
        self._tainted = False
        self._is_settled = False

    # slices

    async def receive(self, parts: Sequence[Slice], generation: int) -> None:
        """Fold slices, and take a checkpoint whenever one is due. Slices of an earlier generation are void."""
        await self.stage.room()
        async with self._lock:
            await self._interruptible(self._receive_all(parts, generation))

    async def _receive_all(self, parts: Sequence[Slice], generation: int) -> None:
        if generation == self._generation and not self._tainted:
            await self.breaker.until_available(self.stage.catch_up)
        for part in parts:
            await self._receive(part, generation)

    async def _receive(self, part: Slice, generation: int) -> None:
        if generation != self._generation or part.source not in self._owned or self._tainted:
            self._acknowledger.discard(part)
            return
        await self._restore({part.source} - self._restored)
        part = in_life(part, self._state.life(part.source) if self._state else 0)
        fresh = self._unfolded(part)
        if fresh is not part:
            self._give_back_overlap(part, fresh)
        if fresh is None:
            return
        for step in self.quarantine.steps(fresh):
            await self._take(step)

    async def _take(self, step: Step) -> None:
        """Fold a step of a slice; one under suspicion stands alone between two checkpoints."""
        if not step.is_usual:
            await self._conclude()
        if step.is_cause:
            self._pass_over(step)
            return
        await self._fold(step.part)
        if not step.is_usual:
            await self._conclude()
        elif self._due():
            await self._checkpoint()

    async def _conclude(self) -> None:
        """Bring what is folded to its end, and make it durable: what ends the worker then has no other cause."""
        for _ in range(int(TRIAL_WITHIN_S / TICK_S)):
            if all(self.stage.unfinished(source) is None for source in self._restored):
                break
            if self._due():
                await self._checkpoint()
            await asyncio.sleep(TICK_S)
        if self._folded and self.quarantine.lets_through:
            await self._checkpoint()

    def _pass_over(self, step: Step) -> None:
        """Dead-letter the record that ended the worker, without a look at it."""
        assert step.suspect is not None
        self.quarantine.set_aside()
        self._set_aside(step.part, [Rejection(record.offset, step.suspect.fault) for record in step.part.records])
        self._passed(step.part)

    def _unfolded(self, part: Slice) -> Slice | None:
        position = self._position.get(part.source, -1)
        if part.after is not None and part.after > position:
            raise SliceMissing(
                f"{part.source.topic}/{part.source.partition}: expected what follows offset {position}, "
                f"got a slice that follows {part.after}; the worker starts again from its last checkpoint"
            )
        return part.beyond(position)

    def _give_back_overlap(self, part: Slice, fresh: Slice | None) -> None:
        if fresh is not None:
            self._acknowledger.discard(replace(part, size_bytes=part.size_bytes - fresh.size_bytes))
        elif any(folded.source == part.source for folded in self._folded):
            self._acknowledger.discard(part)  # the next checkpoint acknowledges what lies behind it
        else:
            self._acknowledger.acknowledge(part)  # durable already, but its commit got lost

    async def _fold(self, part: Slice) -> None:
        decoded = await self.breaker.until_available(lambda: self._decode(part))
        batch = decoded.batch
        if self._duplicates is not None and isinstance(batch, ColumnBatch):
            await self.breaker.until_available(lambda: self._warm_up(part))
            batch = self._duplicates.without_repetitions(batch)
        refused = list(decoded.rejections)
        if batch is not None:
            kept = batch
            refused += await self.breaker.until_available(lambda: self._add(part, kept))
        self._set_aside(part, refused)
        self.quarantine.folded(part)
        self._passed(part)

    def _passed(self, part: Slice) -> None:
        """Note that a slice is folded or set aside: the next checkpoint acknowledges it, once its work is done."""
        self._position[part.source] = part.last_offset
        age_s = time.time() - part.records[-1].timestamp / 1000
        self._clock.folded(part, self._acknowledger.behind(part), age_s)
        if self.stage.settled_by_add:
            self._acknowledger.discard(part)
            part = part.bounds()
        self._folded.append(part)
        self.progress_at = self._monotonic()

    async def _decode(self, part: Slice) -> Decoded:
        with self.quarantine.at_work(part):
            return self._decoder.decode(part)

    async def _add(self, part: Slice, batch: Batch) -> list[Rejection]:
        with self.quarantine.at_work(part):
            return list(await self.stage.add(batch))

    async def _warm_up(self, part: Slice) -> None:
        assert self._duplicates is not None
        await self._duplicates.warm_up(part.source, part.first_offset)

    def _set_aside(self, part: Slice, refused: Sequence[Rejection]) -> None:
        if not refused:
            return
        faults = {rejection.offset: rejection.fault for rejection in refused}
        consumer, now, most = self._consumer_name, datetime.now(UTC), self._max_letter_bytes
        for record in part.records:
            if record.offset in faults:
                fault = faults[record.offset]
                letter = dead_letter(consumer, part.source, record, fault, now=now, max_bytes=most)
                logger.warning("Dead letter %s/%d@%d: %.500s", *part.source, log_offset(record.offset), fault)
                self._letters.append(letter)

    # checkpoints

    async def tick(self) -> None:
        """Restore partitions that are new and take the checkpoint that is due; called every `TICK_S`."""
        new = self._owned - self._restored
        if not new and not self._due():
            return
        async with self._lock:
            await self._interruptible(self._tick())

    def _due(self) -> bool:
        if self._tainted:  # effects are missing: a checkpoint would acknowledge what they were made of
            return False
        if not self.quarantine.lets_through:
            return False
        return (self._any_done() or self.stage.idle_flush_due()) and self._clock.due(self._monotonic())

    def _any_done(self) -> bool:
        """Tell whether a checkpoint could acknowledge anything."""
        return any(part.first_offset < self._open_from(part.source) for part in self._folded)

    def _open_from(self, source: TopicPartition) -> int:
        unfinished = self.stage.unfinished(source)
        return sys.maxsize if unfinished is None else unfinished

    async def _tick(self) -> None:
        await self._restore(self._owned - self._restored)
        if self._due():
            await self._checkpoint()

    async def _checkpoint(self) -> None:
        started = self._monotonic()
        available = self.breaker.until_available
        self._tainted = True  # until all is durable: what a broken-off flush took from the stage is gone from memory
        effects: Effects = await available(self._flush)
        done, rest = self._by_progress()
        self._set_aside_late(effects.rejections)
        await self._make_durable(effects)
        for part in done:
            self._acknowledger.acknowledge(part)
        self._folded, self._letters = rest, []
        self._tainted = False
        self.quarantine.durable(done, rest)
        await self._acknowledger.commit()
        self._clock.finished(started, self._monotonic())
        self.progress_at = self._monotonic()

    async def _flush(self) -> Effects:
        with self.quarantine.at_work():
            return await self.stage.flush()

    async def _make_durable(self, effects: Effects) -> None:
        available, records = self.breaker.until_available, [*effects.outputs, *self._letters]
        appended = await available(lambda: self._append_state(effects))
        if records:
            await available(lambda: self._append_records(records))
        if self._state is not None:
            with self.quarantine.at_work():
                self._state.store(appended)

    async def _append_records(self, records: Sequence[Output | OutputColumns]) -> None:
        with self.quarantine.at_work():
            await self._appender.append_all(records)

    def _by_progress(self) -> tuple[list[Slice], list[Slice]]:
        """Return what of the folded slices is done, in the order of each partition, and what is still worked on."""
        parts = [part.split(self._open_from(part.source)) for part in self._folded]
        return [done for done, _ in parts if done is not None], [rest for _, rest in parts if rest is not None]

    def _set_aside_late(self, rejections: Mapping[TopicPartition, Sequence[Rejection]]) -> None:
        for part in self._folded:
            refused = rejections.get(part.source, ())
            self._set_aside(part, [each for each in refused if part.first_offset <= each.offset <= part.last_offset])

    async def _append_state(self, effects: Effects) -> list[Appended]:
        if not effects.state:
            return []
        assert self._state is not None, f"{self.stage.name} has state, but is not declared stateful"
        if not await self._acknowledger.is_member(self._generation, MEMBER_FOR_S):
            raise Unavailable(
                f"the group does not confirm that this worker still is a member of generation {self._generation}: "
                "it must not write its state over that of the partitions' next owner"
            )
        with self.quarantine.at_work():
            return await self._state.append(effects.state)

    # partitions

    async def release(self) -> None:
        """Make everything durable, because partitions may go: within `RELEASE_TIMEOUT_S`, or not at all.

        Before, what is under way has `SETTLE_WITHIN_S` to come to an end, once until the next assignment.
        A worker that is no member of the group any more gives up at once: others have its partitions already.
        """
        within_s = SETTLE_WITHIN_S
        if (self._folded or self._work) and not await self._acknowledger.is_member(self._generation):
            self._interrupt()
            self._tainted, within_s = True, 0.0
        has_news = await self._settle(within_s)
        await self._lock_in_time()
        try:
            self._owned = set()
            if (self._folded or has_news) and not self._tainted and self.quarantine.lets_through:
                async with asyncio.timeout(RELEASE_TIMEOUT_S):
                    await self._checkpoint()
        except TimeoutError:
            logger.warning(
                "%s: no checkpoint within %.0f s before a rebalance; its slices are read again",
                self.stage.name,
                RELEASE_TIMEOUT_S,
            )
        finally:
            self._lock.release()

    async def _settle(self, within_s: float) -> bool:
        if self._is_settled:
            return False
        self._is_settled = True
        is_lost = self._tainted and self._work is None  # a checkpoint under way may mend it, a broken one can't be
        return await self.stage.settle(0.0 if is_lost else within_s)

    async def _lock_in_time(self) -> None:
        try:
            async with asyncio.timeout(RELEASE_TIMEOUT_S):
                await self._lock.acquire()
        except TimeoutError:
            self._interrupt()
            await self._lock.acquire()

    async def assign(self, owned: set[TopicPartition], generation: int) -> None:
        """Take over the assignment of a generation of the group, before any slice of it comes.

        State of a partition we had, and the work on its records, is kept only when this generation follows ours at
        once, so that nobody else can have had it in between, and no checkpoint was broken off.
        """
        async with self._lock:
            clean = not self._tainted and generation == self._generation + 1
            kept = self._restored & owned if clean else set()
            for source in sorted(self._restored - kept):
                await self._drop(source)
            # the transport has forgotten the bytes of what is still worked on: they must not be given back again
            self._folded = [replace(part, size_bytes=0) for part in self._folded if part.source in kept]
            self._letters, self._tainted = [], False
            self._owned, self._generation = owned, generation
            self._is_settled = False
            self.stage.resume()

    async def forget(self, sources: set[TopicPartition]) -> None:
        """Drop partitions that are another log now, before an assignment would keep what is known of the old one."""
        async with self._lock:
            for source in sorted(self._restored & sources):
                await self._drop(source)

    async def _drop(self, source: TopicPartition) -> None:
        await self.stage.drop(source)
        self._restored.discard(source)
        self._position.pop(source, None)
        self.quarantine.forget(source)
        if self._duplicates is not None:
            self._duplicates.forget(source)
        if self._state is not None:
            self._state.release(source)

    async def _restore(self, new: set[TopicPartition]) -> None:
        states = await asyncio.gather(*(self._read_state(source) for source in sorted(new)))
        for source, items in zip(sorted(new), states, strict=True):
            self._restored.add(source)  # first: what is restored in part must be dropped too
            await self.stage.restore(source, items)

    async def _read_state(self, source: TopicPartition) -> Iterable[tuple[bytes, bytes]]:
        if self._state is None:
            return ()
        state = self._state
        return await self.breaker.until_available(lambda: state.restore(source))

    async def stop(self) -> None:
        """Close the stage and its state; `release` has made durable what could be."""
        async with self._lock:
            await self.stage.close()
            if self._state is not None:
                self._state.close()

    # interruption

    async def _interruptible(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._work = task
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError:
            self._tainted = True
            if not task.cancelled():  # the caller was cancelled, not the work: it must end before the lock is free
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
                raise
        except BaseException:
            self._tainted = True  # a batch may be folded in part: this life takes no checkpoint any more
            raise
        finally:
            self._work = None

    def _interrupt(self) -> None:
        if self._work is not None:
            logger.warning("%s: interrupted for a rebalance; its slices are read again", self.stage.name)
            self._work.cancel()
