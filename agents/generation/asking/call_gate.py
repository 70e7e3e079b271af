"""The gate that every call to a model passes: it bounds those under way, and lets none begin while it is shut."""

from __future__ import annotations

import asyncio
from types import TracebackType


class CallsHeld(Exception):
    """The gate is shut. No fault: what wanted to call goes on when it opens, behind its finished calls."""


class CallGate:
    """Let `at_once` calls be under way; entering, and pauses between attempts, raise `CallsHeld` while it is shut."""

    def __init__(self, at_once: int) -> None:
        self.at_once = at_once
        self._free = asyncio.Semaphore(at_once)
        self._shut = asyncio.Event()

    @property
    def is_shut(self) -> bool:
        """Tell whether no call may begin."""
        return self._shut.is_set()

    def shut(self) -> None:
        """Let no call begin; those under way go on."""
        self._shut.set()

    def open(self) -> None:
        """Let calls begin."""
        self._shut.clear()

    async def pause(self, delay_s: float) -> None:
        """Wait before another attempt; a gate that shuts ends the wait with `CallsHeld`."""
        try:
            async with asyncio.timeout(delay_s):
                await self._shut.wait()
        except TimeoutError:
            return
        raise CallsHeld

    async def __aenter__(self) -> None:
        await self._free.acquire()
        if self.is_shut:
            self._free.release()
            raise CallsHeld

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._free.release()
