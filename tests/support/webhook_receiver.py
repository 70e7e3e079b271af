"""A receiver of webhooks on loopback: it answers as a test says, and checks signatures by another implementation."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from standardwebhooks import Webhook

DEADLINE_S = 60.0


@dataclass(frozen=True, slots=True)
class Received:
    """A post as it came."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def webhook_id(self) -> str:
        return self.headers["webhook-id"]

    def verified(self, secret: str) -> dict[str, Any]:
        """Return what was posted; raises where the signature is not one of the secret, or its time is not now."""
        Webhook(secret).verify(self.body, self.headers)
        told: dict[str, Any] = json.loads(self.body)
        return told


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer of the receiver, after a while."""

    status: int = 204
    headers: dict[str, str] = field(default_factory=dict)
    after_s: float = 0.0


TAKEN = Reply()


@dataclass
class WebhookReceiver:
    """Takes posts at any path; `replies` are the first answers of a path, in order, `always` those of a path ever."""

    url: str = ""
    received: list[Received] = field(default_factory=list)
    replies: dict[str, list[Reply]] = field(default_factory=dict)
    always: dict[str, Reply] = field(default_factory=dict)
    held: dict[str, asyncio.Event] = field(default_factory=dict)
    under_way: Counter[str] = field(default_factory=Counter)
    most_under_way: Counter[str] = field(default_factory=Counter)

    def at(self, path: str) -> list[Received]:
        return [each for each in self.received if each.path == path]

    async def until(self, path: str, count: int, deadline_s: float = DEADLINE_S) -> list[Received]:
        """Wait until so many posts came to a path."""
        deadline = time.monotonic() + deadline_s
        while len(self.at(path)) < count:
            assert time.monotonic() < deadline, f"{len(self.at(path))} of {count} posts came to {path}"
            await asyncio.sleep(0.01)
        return self.at(path)

    async def _post(self, request: web.Request) -> web.StreamResponse:
        path = request.path
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.received.append(Received(path, headers, await request.read()))
        self.under_way[path] += 1
        self.most_under_way[path] = max(self.most_under_way[path], self.under_way[path])
        try:
            if path in self.held:
                await self.held[path].wait()
            scripted = self.replies.get(path)
            reply = scripted.pop(0) if scripted else self.always.get(path, TAKEN)
            await asyncio.sleep(reply.after_s)
        finally:
            self.under_way[path] -= 1
        return web.Response(status=reply.status, headers=reply.headers)


@asynccontextmanager
async def webhook_receiver() -> AsyncIterator[WebhookReceiver]:
    """Serve on a free port of loopback."""
    receiver = WebhookReceiver()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", receiver._post)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    receiver.url = f"http://{host}:{port}"
    try:
        yield receiver
    finally:
        await runner.cleanup()
