"""Answers that go wrong on the wire: none at all, a connection that is cut, half an answer."""

from __future__ import annotations

import asyncio
from collections.abc import MutableMapping
from typing import Any, cast

from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

CLOSE = "simulator.close"


class CuttingProtocol(HttpToolsProtocol):
    """A connection of uvicorn that an answer can close."""

    def on_message_begin(self) -> None:
        """Begin a request, and say how its connection is closed."""
        super().on_message_begin()
        cast("MutableMapping[str, Any]", self.scope)[CLOSE] = self.transport.close


class Cut(Response):
    """Close the connection without an answer, or after half of one."""

    def __init__(self, half_of: Response | None = None) -> None:
        super().__init__()
        self._half_of = half_of

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer so."""
        if self._half_of is not None:
            body = bytes(self._half_of.body)
            start: Message = {
                "type": "http.response.start",
                "status": self._half_of.status_code,
                "headers": self._half_of.raw_headers,
            }
            await send(start)
            await send({"type": "http.response.body", "body": body[: len(body) // 2], "more_body": True})
        await _closed(scope, receive)


class Silence(Response):
    """Never answer: wait until the client gives up, or `ending` is set."""

    def __init__(self, ending: asyncio.Event) -> None:
        super().__init__()
        self._ending = ending

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer so."""
        del send
        waits: list[asyncio.Task[Any]] = [
            asyncio.create_task(_gone(receive)),
            asyncio.create_task(self._ending.wait()),
        ]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in waits:
                each.cancel()
        await _closed(scope, receive)


async def _closed(scope: Scope, receive: Receive) -> None:
    scope[CLOSE]()
    await _gone(receive)


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
