"""The watch: read what the topics say, show it, and tell when everything is decided and counted."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from dataclasses import dataclass, field

from agents.demo.history import Totals
from agents.demo.scoreboard import Scoreboard
from agents.demo.view import View
from schemas.records import Record
from streams.kafka.topic_tail import TopicTail

PATIENCE_S = 180.0  # without any progress; the offline model writes about 50 tokens a second on an idle core
LOOK_INTERVAL_S = 0.3


@dataclass(slots=True)
class Watch:
    """Follow the topics into the scoreboard; `totals` is what the import must bring the lifetime KPIs to."""

    tail: TopicTail[Record]
    board: Scoreboard
    view: View
    totals: Totals
    _progress: str = ""
    _progress_at: float = field(default_factory=time.monotonic)

    async def until_counted(self, importing: asyncio.Task[None], stopped: asyncio.Event) -> str | None:
        """Watch until every request is decided and every imported event counted; return None.

        Else return what is left: when `stopped` is set, or when nothing has changed for PATIENCE_S. An error of the
        import is raised.
        """
        while True:
            await self._look(importing)
            left = self._left(importing)
            if left is None or stopped.is_set():
                return left
            self.view.note(f"Waiting for: {left}")
            if left != self._progress:
                self._progress, self._progress_at = left, time.monotonic()
            elif time.monotonic() - self._progress_at > PATIENCE_S:
                return f"{left}; nothing has changed for {PATIENCE_S:.0f} s"
            await self._pause(stopped)

    async def until_stopped(self, importing: asyncio.Task[None], stopped: asyncio.Event) -> None:
        """Watch until `stopped` is set."""
        while not stopped.is_set():
            await self._look(importing)
            left = self._left(importing)
            self.view.note("Ctrl-C ends the demo. " + (f"Waiting for: {left}" if left else "All is counted."))
            await self._pause(stopped)

    async def _look(self, importing: asyncio.Task[None]) -> None:
        for record in await self.tail.news():
            self.board.fold(record)
        self.view.show(self.board)
        if importing.done():
            importing.result()

    def _left(self, importing: asyncio.Task[None]) -> str | None:
        undecided, missing = len(self.board.undecided()), sum(self.board.missing(self.totals).values())
        parts = [f"the decision on {undecided} requests"] if undecided else []
        if missing or not importing.done():
            parts.append(f"{missing:,} imported engagements in the KPIs")
        return " and ".join(parts) or None

    async def _pause(self, stopped: asyncio.Event) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(stopped.wait(), LOOK_INTERVAL_S)
