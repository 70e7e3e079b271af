"""HTTP as bytes on a socket: for clients that no library would be."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

DEADLINE_S = 30.0


@dataclass(frozen=True, slots=True)
class RawAnswer:
    """What came: the status, the head's other lines in lower case, and the body."""

    status: int
    head: str
    body: bytes


class RawClient:
    """One connection to an http URL; used as an async context."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._address = parts.hostname or "", parts.port or 80

    async def __aenter__(self) -> Self:
        self.reader, self.writer = await asyncio.open_connection(*self._address)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.writer.close()

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def answer(self) -> RawAnswer:
        """Read one answer that says its length."""
        async with asyncio.timeout(DEADLINE_S):
            head = (await self.reader.readuntil(b"\r\n\r\n")).decode().lower()
            length = next(int(line.split(":")[1]) for line in head.splitlines() if line.startswith("content-length:"))
            return RawAnswer(int(head.split(" ")[1]), head, await self.reader.readexactly(length))

    async def until_closed(self) -> bytes:
        """Read until the server ends the connection, and return what came before."""
        async with asyncio.timeout(DEADLINE_S):
            try:
                return await self.reader.read()
            except ConnectionError:
                return b""


def get(path: str, **headers: str) -> bytes:
    """Return the bytes of a GET."""
    return head("GET", path, **headers)


def head(method: str, path: str, **headers: str) -> bytes:
    """Return the bytes of a request's head."""
    lines = [f"{method} {path} HTTP/1.1", "Host: gateway.test"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode("utf-8")
