"""Lanes: the work for each other side in a lane of its own, some under way at once, the rest waits for its due time."""

from __future__ import annotations

import asyncio
import heapq
import itertools
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Generic, Protocol, TypeVar

LOOK_AT_LEAST_EVERY_S = 30.0  # the wall clock may be set


class Waiting(Protocol):
    """What waits in a lane; once void it is passed over."""

    @property
    def lane(self) -> str: ...
    @property
    def due_at(self) -> datetime: ...
    @property
    def is_void(self) -> bool: ...


W = TypeVar("W", bound=Waiting)


@dataclass(slots=True)
class _Lane(Generic[W]):
    heap: list[tuple[datetime, int, W]] = field(default_factory=list)
    tasks: set[asyncio.Task[None]] = field(default_factory=set)
    timer: asyncio.TimerHandle | None = None


class Lanes(Generic[W]):
    """Work on what is due, `at_once` in each lane: a slow one holds up no other.

    `work` never raises on account of the other side; any other error of it is kept, and `check` raises it.
    """

    def __init__(
        self,
        work: Callable[[W], Awaitable[None]],
        now: Callable[[], datetime],
        *,
        at_once: int,
        look_every_s: float = LOOK_AT_LEAST_EVERY_S,
    ) -> None:
        """Begin with no lane; `look_every_s` is how soon a clock that was set is noticed."""
        self._work = work
        self._now = now
        self._at_once = at_once
        self._look_every_s = look_every_s
        self._lanes: dict[str, _Lane[W]] = {}
        self._numbers = itertools.count()
        self._is_open = asyncio.Event()
        self._is_open.set()
        self._error: BaseException | None = None

    def put(self, waiting: W) -> None:
        """Work on it when it is due."""
        lane = self._lanes.setdefault(waiting.lane, _Lane())
        heapq.heappush(lane.heap, (waiting.due_at, next(self._numbers), waiting))
        self._go_on(waiting.lane)

    @property
    def under_way(self) -> int:
        """Return how much is under way."""
        return sum(len(lane.tasks) for lane in self._lanes.values())

    async def until_open(self) -> None:
        """Wait until lanes are open: always, but between `drain` and `resume`."""
        await self._is_open.wait()

    async def drain(self, within_s: float) -> None:
        """Begin nothing more, and wait until nothing is under way, or for `within_s` seconds."""
        self._is_open.clear()
        tasks = [task for lane in self._lanes.values() for task in lane.tasks]
        if tasks:
            await asyncio.wait(tasks, timeout=within_s)

    def resume(self) -> None:
        """Go on."""
        self._is_open.set()
        for name in list(self._lanes):
            self._go_on(name)

    @property
    def is_broken(self) -> bool:
        """Tell whether `check` raises."""
        return self._error is not None

    def check(self) -> None:
        """Raise the error that some work ended with."""
        if self._error is not None:
            raise self._error

    async def close(self) -> None:
        """Break off what is under way."""
        self._is_open.clear()
        tasks = [task for lane in self._lanes.values() for task in lane.tasks]
        for lane in self._lanes.values():
            if lane.timer is not None:
                lane.timer.cancel()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _go_on(self, name: str) -> None:
        lane = self._lanes.get(name)
        if lane is None or not self._is_open.is_set() or self.is_broken:
            return
        now = self._now()
        while lane.heap and len(lane.tasks) < self._at_once:
            due_at, _, waiting = lane.heap[0]
            if due_at > now and not waiting.is_void:
                break
            heapq.heappop(lane.heap)
            if not waiting.is_void:
                self._begin(name, lane, waiting)
        self._look_again(name, lane, now)

    def _begin(self, name: str, lane: _Lane[W], waiting: W) -> None:
        task = asyncio.ensure_future(self._work(waiting))
        lane.tasks.add(task)
        task.add_done_callback(lambda ended: self._ended(name, lane, ended))

    def _look_again(self, name: str, lane: _Lane[W], now: datetime) -> None:
        if lane.timer is not None:
            lane.timer.cancel()
            lane.timer = None
        if not lane.heap and not lane.tasks:
            del self._lanes[name]
        elif lane.heap and len(lane.tasks) < self._at_once:
            wait_s = min(max((lane.heap[0][0] - now).total_seconds(), 0.0), self._look_every_s)
            lane.timer = asyncio.get_running_loop().call_later(wait_s, self._go_on, name)

    def _ended(self, name: str, lane: _Lane[W], task: asyncio.Task[None]) -> None:
        lane.tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None and self._error is None:
            self._error = error
        self._go_on(name)
