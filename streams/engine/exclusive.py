"""Exclusive work: one piece at a time, which a rebalance can break off."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Coroutine

logger = logging.getLogger(__name__)


class ExclusiveWork:
    """Run one piece of work at a time; `is_broken` tells that one did not come to its end, until it is `mended`.

    A piece that is broken off, or ends with an error, may have done half of what it should.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._lock = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None
        self._is_broken = False

    @property
    def is_broken(self) -> bool:
        return self._is_broken

    @property
    def is_under_way(self) -> bool:
        return self._task is not None

    def spoil(self) -> None:
        """Count what was done until now as broken."""
        self._is_broken = True

    def mend(self) -> None:
        """Begin anew."""
        self._is_broken = False

    async def run(self, work: Coroutine[None, None, None]) -> None:
        """Do a piece of work when it is its turn; a caller that is cancelled ends it before the next may begin."""
        async with self._lock:
            task = asyncio.create_task(work)
            self._task = task
            try:
                await asyncio.shield(task)
            except asyncio.CancelledError:
                self._is_broken = True
                if not task.cancelled():  # the caller was cancelled, not the work
                    task.cancel()
                    await asyncio.gather(task, return_exceptions=True)
                    raise
            except BaseException:
                self._is_broken = True
                raise
            finally:
                self._task = None

    def interrupt(self) -> None:
        """Break off what is under way."""
        if self._task is not None:
            logger.warning("%s: interrupted for a rebalance; its slices are read again", self._name)
            self._task.cancel()

    @contextlib.asynccontextmanager
    async def between(self, within_s: float | None = None) -> AsyncIterator[None]:
        """Wait for the end of what is under way, and break it off after `within_s`; nothing runs meanwhile."""
        try:
            async with asyncio.timeout(within_s):
                await self._lock.acquire()
        except TimeoutError:
            self.interrupt()
            await self._lock.acquire()
        try:
            yield
        finally:
            self._lock.release()
