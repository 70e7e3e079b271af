"""One listener: its cursors, what it may see, and the next bytes for it; it has no queue: what it leaves waits."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from agents.gateway.live.catch_up import CatchUp
from agents.gateway.live.cursor import Cursor
from agents.gateway.live.events import entry_event, heartbeat, position_event, status_event
from agents.gateway.live.positions import LogPosition
from agents.gateway.live.ring import Entry, Gap, Ring
from streams.errors import Unavailable

HEARTBEAT_S = 15.0
CHUNK_BYTES = 16 * 2**10  # handed over at once: what a server holds for one that does not read
TURN_ENTRIES = 200  # looked at in one go before others have their turn
RETRY_S = 1.0

Sees = Callable[[str, str | None], bool]
"""Whether a listener may see a record of a topic and a persona; None where no persona can be read from it."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a listener asks for: topics, one persona or all, and where to resume; it sees what `sees` lets it.

    `shown` takes out of a record's JSON what is not for it; None where all of it is.
    """

    topics: Sequence[str]
    sees: Sees
    persona_id: str | None = None
    resume: Mapping[str, LogPosition] | None = None
    shown: Callable[[str], str] | None = None


class Listener:
    """Give what is new, when it is asked for it."""

    def __init__(self, wanted: Wanted, rings: Iterable[Ring], catch_up: CatchUp, heartbeat_s: float) -> None:
        resume = wanted.resume or {}
        self._wanted = wanted
        self._cursors = [Cursor(ring, resume.get(ring.topic)) for ring in rings]
        self._told_away: dict[str, str | None] = {}
        self._told_topics = 0  # whose position is told
        self._catch_up = catch_up
        self._heartbeat_s = heartbeat_s
        self._news = asyncio.Event()
        self.is_closed = False
        self.is_waiting = False
        """For news: one that its reader holds up is not."""

    def close(self) -> None:
        """End it: `next` gives nothing any more."""
        self.is_closed = True
        self._news.set()

    def wake(self) -> None:
        """Say that there is something new."""
        self._news.set()

    def position(self) -> str:
        """Return the positions in all topics as text."""
        return "~~".join(text for cursor in self._cursors if (text := cursor.text()) is not None)

    async def next(self) -> bytes:
        """Return the next events, or a heartbeat where none came for a while; nothing once it is closed."""
        with suppress(TimeoutError):
            async with asyncio.timeout(self._heartbeat_s):
                return await self._next_events()
        return heartbeat(self.position())

    async def _next_events(self) -> bytes:
        while not self.is_closed:
            self._news.clear()
            chunk = b"".join(self._take())
            if chunk:
                return chunk
            if any(cursor.to_fetch() for cursor in self._cursors):
                chunk = await self._fetched()
                if chunk:
                    return chunk
            elif any(cursor.has_more() for cursor in self._cursors):
                await asyncio.sleep(0)  # nothing of it was for this listener; others have their turn
            else:
                await self._wait()
        return b""

    async def _wait(self) -> None:
        self.is_waiting = True
        try:
            await self._news.wait()
        finally:
            self.is_waiting = False

    def _take(self) -> Iterator[bytes]:
        """Yield events up to CHUNK_BYTES, topic by topic; the next time begins with another topic.

        Where it begins is told before there is any record: who is cut off until then would not know where to resume.
        """
        size = 0
        self._cursors.append(self._cursors.pop(0))
        for index, cursor in enumerate(self._cursors):
            yield from self._status(cursor.ring)
            for event in self._events(index, cursor.take(TURN_ENTRIES)):
                size += len(event)
                yield event
                if size >= CHUNK_BYTES:
                    return
        known = sum(cursor.text() is not None for cursor in self._cursors)
        if known > self._told_topics:
            self._told_topics = known
            yield position_event(self.position())

    async def _fetched(self) -> bytes:
        """Return events read from the log: of the first topic of which the ring has not all that is missing."""
        index = next(index for index, cursor in enumerate(self._cursors) if cursor.to_fetch())
        cursor = self._cursors[index]
        try:
            piece = await self._catch_up.piece(cursor.ring, cursor.to_fetch())
        except Unavailable:  # its tail says so; Kafka is asked again
            await asyncio.sleep(RETRY_S)
            return b""
        if not cursor.is_settled():
            return b""
        return b"".join(self._events(index, cursor.take_fetched(piece.entries, {piece.partition: piece.end})))

    def _events(self, index: int, entries: Iterable[Entry]) -> Iterator[bytes]:
        """Yield the events of entries of a topic that this listener sees; the others only move its position."""
        cursor = self._cursors[index]
        before = [text for each in self._cursors[:index] if (text := each.text()) is not None]
        behind = [text for each in self._cursors[index + 1 :] if (text := each.text()) is not None]
        for entry in entries:
            if self._is_for_it(cursor.ring.topic, entry):
                position = "~~".join([*before, cursor.text() or "", *behind])
                yield entry_event(cursor.ring.topic, self._shown(entry), position)

    def _shown(self, entry: Entry) -> Entry:
        if self._wanted.shown is None or isinstance(entry, Gap):
            return entry
        return replace(entry, data=self._wanted.shown(entry.data.decode()).encode())

    def _is_for_it(self, topic: str, entry: Entry) -> bool:
        if isinstance(entry, Gap):
            return True
        wanted = self._wanted.persona_id
        return wanted in (None, entry.persona_id) and self._wanted.sees(topic, entry.persona_id)

    def _status(self, ring: Ring) -> Iterator[bytes]:
        """Yield an event where a topic went away or came back since the last one."""
        before = self._told_away.get(ring.topic)
        if (ring.away is None) != (before is None):
            self._told_away[ring.topic] = ring.away
            yield status_event(ring.topic, ring.away)
