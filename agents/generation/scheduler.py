"""The scheduler: bursts under way at once, up to a bound, each waiting out its own surroundings."""

from __future__ import annotations

import asyncio
import logging
import random
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from agents.generation.asking.writer import CallGate, CallsHeld
from agents.generation.assignment import Burst
from agents.generation.drafting.draft_work import DraftOutcome
from streams.engine.batch import TopicPartition
from streams.engine.retry import Backoff
from streams.errors import Unavailable

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Job:
    """A burst to write, and the partition that its requests came from."""

    source: TopicPartition
    burst: Burst


@dataclass(frozen=True, slots=True)
class Load:
    """What the scheduler has to do: bursts under way of `bound`, and waiting for their turn."""

    bound: int
    under_way: int
    waiting: int


class Scheduler:
    """Write bursts in the order in which they came, `bound` at a time; a slow one holds up no other.

    While the model is away a burst waits and is tried again: nothing of it is lost, and other bursts go on as far as
    their own models allow. Any other error of a burst is kept and raised by `check`: it ends the worker, after the
    calls of other bursts that are under way have been answered, for these are paid for. No further one begins.
    While the gate is shut no burst begins, and one that would call waits for its turn again.
    """

    def __init__(
        self,
        write: Callable[[Burst], Awaitable[Sequence[DraftOutcome]]],
        finished: Callable[[Job, Sequence[DraftOutcome]], None],
        gate: CallGate,
        *,
        bound: int,
        backoff: Backoff | None = None,
    ) -> None:
        self._write = write
        self._finished = finished
        self._gate = gate
        self._bound = bound
        self._backoff = backoff or Backoff()
        self._random = random.Random()  # noqa: S311 - jitter, not a secret
        self._waiting: deque[Job] = deque()
        self._tasks: dict[asyncio.Task[None], Job] = {}
        self._error: BaseException | None = None
        self._logged = ""  # why a burst waits, as it was logged last
        self._has_room = asyncio.Event()
        self._has_room.set()

    @property
    def load(self) -> Load:
        """Return what there is to do."""
        return Load(self._bound, len(self._tasks), len(self._waiting))

    def begin(self, job: Job) -> None:
        """Write a burst as soon as it is its turn; `finished` is told what came of it."""
        self._waiting.append(job)
        self._go_on()

    async def room(self) -> None:
        """Wait until a burst that is begun now would not wait for its turn."""
        await self._has_room.wait()

    async def drain(self, within_s: float) -> None:
        """Shut the gate, and wait until no call is under way any more, or for `within_s` seconds."""
        self._gate.shut()
        self._go_on()
        if self._tasks:
            await asyncio.wait(list(self._tasks), timeout=within_s)

    def resume(self) -> None:
        """Open the gate, and go on with what waits."""
        if self._error is None:
            self._gate.open()
        self._go_on()

    def check(self) -> None:
        """Raise the error that a burst ended with, if there is one and no other burst is under way any more."""
        if self._error is not None and not self._tasks:
            raise self._error

    def fail(self, error: BaseException) -> None:
        """Let `check` raise an error, and no further call begin; the first error counts."""
        if self._error is None:
            self._error = error
            self._gate.shut()

    @property
    def is_broken(self) -> bool:
        """Tell whether `check` raises, or will."""
        return self._error is not None

    async def drop(self, source: TopicPartition) -> None:
        """Break off the bursts of a partition."""
        self._waiting = deque(job for job in self._waiting if job.source != source)
        broken_off = [task for task, job in self._tasks.items() if job.source == source]
        for task in broken_off:
            task.cancel()
        await asyncio.gather(*broken_off, return_exceptions=True)
        self._go_on()

    def _go_on(self) -> None:
        may_begin = self._error is None and not self._gate.is_shut
        while may_begin and self._waiting and len(self._tasks) < self._bound:
            job = self._waiting.popleft()
            task = asyncio.create_task(self._write_or_hold(job))
            self._tasks[task] = job
            task.add_done_callback(self._ended)
        if self._waiting or self._gate.is_shut:
            self._has_room.clear()
        else:
            self._has_room.set()

    async def _write_or_hold(self, job: Job) -> None:
        try:
            await self._write_in_the_end(job)
        except CallsHeld:
            self._waiting.appendleft(job)

    async def _write_in_the_end(self, job: Job) -> None:
        failures = 0
        while True:
            try:
                outcomes = await self._write(job.burst)
            except Unavailable as error:
                failures += 1
                self._log_once(str(error))
                delay_s = self._backoff.delay_s(failures, error.retry_after_s, self._random.random())
                await self._gate.pause(delay_s)
            else:
                self._logged = ""
                self._finished(job, outcomes)
                return

    def _log_once(self, why: str) -> None:
        if why != self._logged:
            logger.warning("Drafts wait; nothing is lost: %s", why)
        self._logged = why

    def _ended(self, task: asyncio.Task[None]) -> None:
        del self._tasks[task]
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self.fail(error)
        self._go_on()
