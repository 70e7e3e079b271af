"""Throttle: so many records a second, evenly, however long what is done with them takes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

PIECES_PER_S = 4  # so that a slow rate is even

T = TypeVar("T")


class Pace:
    """Let at most `rate` records a second pass, from the first on; None lets all pass at once.

    What was late is not caught up with by more than one piece.
    """

    def __init__(self, rate: float | None, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._rate = rate
        self._monotonic = monotonic
        self._due = monotonic()

    @property
    def piece(self) -> int | None:
        """Return how many records may pass together, None for any number."""
        return None if self._rate is None else max(1, int(self._rate / PIECES_PER_S))

    def pieces(self, records: Sequence[T]) -> Iterator[Sequence[T]]:
        """Cut records into pieces that may pass together."""
        size = self.piece or max(len(records), 1)
        return (records[start : start + size] for start in range(0, len(records), size))

    def delay_s(self, records: int) -> float:
        """Count so many records, and return how long they have to wait."""
        if self._rate is None:
            return 0.0
        now, length = self._monotonic(), records / self._rate
        self._due = max(self._due, now - length)
        wait, self._due = max(self._due - now, 0.0), self._due + length
        return wait

    async def let_pass(self, records: int) -> None:
        """Wait until so many records may pass."""
        delay_s = self.delay_s(records)
        if delay_s > 0:
            await asyncio.sleep(delay_s)
