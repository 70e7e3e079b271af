"""The spend directory: what a worker knows of spending, kept up with spend.totals."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Protocol

from agents.spend.spend_book import SpendBook, first_day_needed
from schemas.records import SpendTotal
from streams.errors import RecordFault
from streams.wall_clock import utc_now

logger = logging.getLogger(__name__)


class SpendLog(Protocol):
    """The topic spend.totals, read on from where the last reading ended."""

    async def news(self) -> Sequence[SpendTotal]:
        """Return what was appended since the last call, up to the end of now; `Unavailable` when it can't be read."""
        ...

    async def close(self) -> None:
        """Disconnect; a later call of `news` connects again."""
        ...


class SpendDirectory:
    """The spend of the days that budgets look at; `refresh` catches up with the topic."""

    def __init__(
        self,
        log: SpendLog,
        clock: Callable[[], datetime] = utc_now,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._log = log
        self._clock = clock
        self._monotonic = monotonic
        self._read_at_s = float("-inf")
        self._lock = asyncio.Lock()
        self.book = SpendBook()

    async def refresh(self, *, max_age_s: float = 0.0) -> None:
        """Read the topic up to its present end, unless that was done in the last `max_age_s` seconds.

        Raises:
            Unavailable: the topic can't be read.
        """
        async with self._lock:
            started_s = self._monotonic()
            if started_s - self._read_at_s < max_age_s:
                return
            needed = first_day_needed(self._clock())
            for total in await self._log.news():
                if total.day >= needed:
                    self._apply(total)
            self.book.forget_before(needed)
            self._read_at_s = started_s

    async def close(self) -> None:
        """Disconnect from the topic; what is known stays known."""
        async with self._lock:
            await self._log.close()

    def _apply(self, total: SpendTotal) -> None:
        try:
            self.book.apply(total)
        except RecordFault as fault:
            logger.warning("Passed over a total of spend.totals: %s", fault)
