"""A feed as an HTTP answer that does not end: it takes from the hub only as fast as its reader reads."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from http import HTTPStatus

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from agents.gateway.front import ANSWERED_S
from agents.gateway.live.events import OPENING
from agents.gateway.live.hub import Hub, TooManyListeners
from agents.gateway.live.listener import Listener, Wanted
from agents.gateway.problems import Refused

LONGEST_S = 3_600.0  # after which a reader signs in anew: a token may have expired
RETRY_AFTER_S = 10
HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),  # nginx would gather events
]


class EventStream(Response):
    """The live feed of one reader.

    One that does not read is held up in `send`, costs what the server buffers for it, and is let go after a while
    by the server; it comes back with its position.
    """

    def __init__(self, hub: Hub, caller: str, wanted: Wanted, may_go_on: Callable[[], bool]) -> None:
        """Take whom it is for, and what tells whether that one may still read: a token can be revoked meanwhile."""
        super().__init__(media_type="text/event-stream")
        self._may_go_on = may_go_on
        self._hub = hub
        self._caller = caller
        self._wanted = wanted

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            with self._hub.listening(self._caller, self._wanted) as listener:
                scope["state"][ANSWERED_S] = time.perf_counter()
                await send({"type": "http.response.start", "status": HTTPStatus.OK, "headers": HEADERS})
                await _feed(listener, receive, send, self._may_go_on)
        except TooManyListeners as error:
            status = HTTPStatus.TOO_MANY_REQUESTS if error.of_caller else HTTPStatus.SERVICE_UNAVAILABLE
            raise Refused(status, str(error), headers={"Retry-After": str(RETRY_AFTER_S)}) from error


async def _feed(listener: Listener, receive: Receive, send: Send, may_go_on: Callable[[], bool]) -> None:
    leaving = asyncio.create_task(_until_gone(receive, listener))
    ends_s = time.monotonic() + LONGEST_S
    try:
        chunk = OPENING
        while not listener.is_closed and time.monotonic() < ends_s and may_go_on():
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
            await send({"type": "http.response.body", "more_body": True})  # waits while what was sent is not taken
            await asyncio.sleep(0)  # a reader that takes all at once has its turn as the others
            chunk = await listener.next()
        await send({"type": "http.response.body", "body": chunk if may_go_on() else b""})
    finally:
        leaving.cancel()


async def _until_gone(receive: Receive, listener: Listener) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    listener.close()
