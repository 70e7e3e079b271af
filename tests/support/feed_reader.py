"""Readers of the live feed over real connections, as browsers have them, and records to be told."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode, urlsplit

DEADLINE_S = 30.0


@dataclass(frozen=True, slots=True)
class Told:
    """An event: its name, id and data."""

    name: str
    id: str
    data: dict[str, Any]

    @property
    def place(self) -> tuple[str, int, int]:
        return self.data["topic"], self.data["partition"], self.data["offset"]


@dataclass(slots=True)
class FeedReader:
    """One connection; `last_id` is what a browser would send to resume.

    Events that say the position alone move it, and are not among `events`.
    """

    reader: asyncio.StreamReader
    last_id: str = ""
    heartbeats: int = 0
    events: list[Told] = field(default_factory=list)

    async def next(self, deadline_s: float = DEADLINE_S) -> Told:
        """Return the next event; fails where none comes."""
        async with asyncio.timeout(deadline_s):
            while True:
                event = self._event(await self._block())
                if event is not None:
                    self.events.append(event)
                    return event

    async def records(self, count: int) -> list[Told]:
        """Return the next so many records; what comes between them is kept in `events`."""
        found: list[Told] = []
        while len(found) < count:
            event = await self.next()
            if event.name == "record":
                found.append(event)
        return found

    async def until_id(self) -> str:
        """Read until it is known where the feed begins."""
        async with asyncio.timeout(DEADLINE_S):
            while not self.last_id:
                assert self._event(await self._block()) is None
        return self.last_id

    async def _block(self) -> list[str]:
        lines = []
        while line := (await self.reader.readuntil(b"\n")).decode().rstrip("\n"):
            lines.append(line)
        return lines

    def _event(self, lines: list[str]) -> Told | None:
        fields = dict(line.split(": ", 1) for line in lines if not line.startswith(":"))
        self.heartbeats += sum(line.startswith(":") for line in lines)
        self.last_id = fields.get("id", self.last_id)
        if fields.get("event") in (None, "position"):
            return None
        return Told(fields["event"], self.last_id, json.loads(fields["data"]))


@asynccontextmanager
async def reading_feed(
    url: str, token: str, topics: str, *, last_id: str = "", **query: str
) -> AsyncIterator[FeedReader]:
    """Open a feed of the gateway at `url`."""
    reader, writer = await open_feed(url, token, topics, last_id=last_id, **query)
    try:
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200"), head
        yield FeedReader(_unchunked(reader))
    finally:
        writer.close()


async def open_feed(
    url: str, token: str, topics: str, *, last_id: str = "", **query: str
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Ask for a feed, and read nothing of it."""
    address = urlsplit(url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    path = f"/v1/stream?{urlencode({'topics': topics, **query})}"
    resume = f"Last-Event-ID: {last_id}\r\n" if last_id else ""
    writer.write(f"GET {path} HTTP/1.1\r\nHost: test\r\nAuthorization: Bearer {token}\r\n{resume}\r\n".encode())
    await writer.drain()
    return reader, writer


def _unchunked(source: asyncio.StreamReader) -> asyncio.StreamReader:
    """Return what a chunked body says; it ends with the connection."""
    body = asyncio.StreamReader(limit=16 * 2**20)

    async def copy() -> None:
        try:
            while size := int(await source.readuntil(b"\r\n"), 16):
                body.feed_data(await source.readexactly(size))
                await source.readexactly(2)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        body.feed_eof()

    _copying.add(task := asyncio.create_task(copy()))
    task.add_done_callback(_copying.discard)
    return body


_copying: set[asyncio.Task[None]] = set()
