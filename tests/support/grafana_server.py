"""A Grafana on loopback as far as it is written to: Live's push and annotations, as busy as a test says."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from line_protocol_parser import LineFormatError, parse_line

PUSH, ANNOTATIONS = "/api/live/push/{stream}", "/api/annotations"


@dataclass
class GrafanaServer:
    """What it was sent; `answers` are the statuses of the next requests, 200 when there are none left.

    Lines are read by a parser that is not ours; a request with one that is none is answered with 400, as Grafana does.
    """

    tokens: set[str] = field(default_factory=lambda: {"glsa_right"})
    answers: list[int] = field(default_factory=list)
    pushes: list[tuple[str, list[dict[str, Any]]]] = field(default_factory=list)
    annotations: list[dict[str, Any]] = field(default_factory=list)
    content_types: set[str] = field(default_factory=set)
    peers: set[Any] = field(default_factory=set)
    under_way: int = 0
    most_under_way: int = 0
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    url: str = ""

    @property
    def lines(self) -> list[dict[str, Any]]:
        """Return all lines, in the order in which they came."""
        return [line for _, lines in self.pushes for line in lines]

    @asynccontextmanager
    async def running(self) -> AsyncIterator[GrafanaServer]:
        """Serve while the context lasts."""
        self.gate.set()
        app = web.Application()
        app.add_routes([web.post(PUSH, self._push), web.post(ANNOTATIONS, self._annotate)])
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        assert site._server is not None
        self.url = f"http://127.0.0.1:{site._server.sockets[0].getsockname()[1]}"  # type: ignore[attr-defined]
        try:
            yield self
        finally:
            self.gate.set()
            await runner.cleanup()

    async def _push(self, request: web.Request) -> web.Response:
        assert request.transport is not None
        self.peers.add(request.transport.get_extra_info("peername"))
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        try:
            await self.gate.wait()
            return await self._pushed(request)
        finally:
            self.under_way -= 1

    async def _pushed(self, request: web.Request) -> web.Response:
        refusal = self._refusal(request)
        if refusal is not None:
            return refusal
        self.content_types.add(request.content_type)
        try:
            lines = [parse_line(line) for line in (await request.text()).split("\n") if line]
        except LineFormatError as error:
            return web.json_response({"message": f"error converting metrics: {error}"}, status=400)
        self.pushes.append((request.match_info["stream"], lines))
        return web.Response()

    async def _annotate(self, request: web.Request) -> web.Response:
        refusal = self._refusal(request)
        if refusal is None:
            self.annotations.append(await request.json())
        return refusal or web.json_response({"id": len(self.annotations), "message": "Annotation added"})

    def _refusal(self, request: web.Request) -> web.Response | None:
        kind, _, token = request.headers.get("Authorization", "").partition(" ")
        if kind != "Bearer" or token not in self.tokens:
            return web.json_response({"message": "Invalid API key"}, status=401)
        status = self.answers.pop(0) if self.answers else 200
        if status == 200:
            return None
        return web.json_response({"message": "as the test says"}, status=status, headers={"Retry-After": "7"})
