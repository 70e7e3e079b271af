"""What the loopback servers of Bluesky and Mastodon share: a thread with a loop, posts, and faults on demand."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from aiohttp import web

from tests.support.platforms.harness import Fault, On

START_S = 60.0
LOOK_EVERY_S = 0.02
BROKEN_JSON = b'{"id": "1", "uri'
Answers = Mapping[Fault, Callable[[], web.Response]]


@dataclass(slots=True)
class Faults:
    """Faults that wait for the next call of an account, each for one; and how they befall it."""

    answers: Answers
    _next: dict[tuple[str, On], list[Fault]] = field(default_factory=dict)

    def inject(self, user: str, fault: Fault, on: On) -> None:
        """Let a fault befall the next call of a kind."""
        self._next.setdefault((user, on), []).append(fault)

    async def befall(
        self, request: web.Request, user: str, on: On, act: Callable[[], Awaitable[web.Response]]
    ) -> web.StreamResponse:
        """Answer a request as `act` does, unless a fault waits for it."""
        waiting = self._next.get((user, on))
        fault = waiting.pop(0) if waiting else None
        if fault is not None and fault in self.answers:
            return self.answers[fault]()
        told = web.Response() if fault in {"cut_before", "silence_before"} else await act()
        if fault in {"cut_before", "cut_after"}:
            return _cut(request)
        if fault in {"silence_before", "silence_after"}:
            return await _silent(request)
        if fault == "malformed_after":
            return web.Response(body=BROKEN_JSON, content_type="application/json")
        return told


def _cut(request: web.Request) -> web.Response:
    assert request.transport is not None, "the connection stands"
    request.transport.abort()
    return web.Response()


async def _silent(request: web.Request) -> web.Response:
    """Say nothing until the client hangs up."""
    while request.transport is not None and not request.transport.is_closing():
        await asyncio.sleep(LOOK_EVERY_S)
    return web.Response()


@contextmanager
def served(make: Callable[[], web.Application]) -> Iterator[str]:
    """Serve an app on loopback, on a thread of its own, and yield its address."""
    listens, addresses = threading.Event(), []
    ends: list[Callable[[], object]] = []

    async def serving() -> None:
        runner = web.AppRunner(make(), access_log=None, shutdown_timeout=1.0)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            end, loop = asyncio.Event(), asyncio.get_running_loop()
            ends.append(lambda: loop.call_soon_threadsafe(end.set))
            addresses.append("http://{}:{}".format(*runner.addresses[0][:2]))
            listens.set()
            await end.wait()
        finally:
            await runner.cleanup()

    thread = threading.Thread(target=lambda: asyncio.run(serving()), name="platform under test")
    thread.start()
    try:
        assert listens.wait(START_S), "the server did not start"
        yield addresses[0]
    finally:
        for end in ends:
            end()
        thread.join(START_S)
