"""HTTP in bounds: heads and bodies that are too long or too slow end, and so do clients that never read."""

from __future__ import annotations

import asyncio
import json
import uuid
from http import HTTPStatus
from typing import Any, ClassVar

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from agents.gateway.problems import MEDIA_TYPE

MOST_HEAD_BYTES = 64 * 2**10
MOST_HEADERS = 100
BODY_HEADERS = frozenset({b"content-length", b"transfer-encoding"})
LINGER_S = 5.0  # for a client to take what was sent, once the connection is to end


class BoundedProtocol(HttpToolsProtocol):
    """A connection of uvicorn whose every phase has its time.

    A head or a body that comes too slowly is answered with 408, a head that is too large with 431; a client that takes
    nothing of its answer for a while, or that closed its side, is let go. Timers are started only for what does not
    come at once.
    """

    head_timeout_s: ClassVar[float] = 10.0
    body_timeout_s: ClassVar[float] = 30.0
    stall_timeout_s: ClassVar[float] = 60.0
    most_connections: ClassVar[int] = 4_096

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - uvicorn's
        super().__init__(*args, **kwargs)
        self._phase: str | None = None
        self._timed: str | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._stalled: asyncio.TimerHandle | None = None
        self._piece_bytes = self._framing_bytes = 0  # the latter since there was something of a body
        self._refusal = HTTPStatus.BAD_REQUEST, "it is no HTTP request as HTTP/1.1 has it; use a client that speaks it"

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin; a client that sends nothing is let go after a while."""
        super().connection_made(transport)
        if len(self.connections) > self.most_connections:
            transport.abort()
            return
        self._time("silence", self.head_timeout_s)

    def data_received(self, data: bytes) -> None:
        """Take bytes in, and start the timer of what is not complete with them."""
        self._piece_bytes = len(data)
        self._framing_bytes += len(data)
        super().data_received(data)
        if self.transport.is_closing():
            return
        if self._phase is not None and self._framing_bytes > MOST_HEAD_BYTES:
            told = f"its head, or what frames its body, has over {MOST_HEAD_BYTES} bytes"
            self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, told)
            return
        waits = self._phase or ("head" if self.cycle is None or self.cycle.response_complete else None)
        if waits != self._timed:
            self._time(waits, self.body_timeout_s if waits == "body" else self.head_timeout_s)

    def on_message_begin(self) -> None:
        """Note that a head begins."""
        super().on_message_begin()
        self._phase, self._framing_bytes = "head", self._piece_bytes

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header in; trailers, which come behind a body, are passed over."""
        if self._phase == "head":
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Note that a head is complete.

        Raises:
            ValueError: it is too large, or can be read in two ways; the parser's error is answered with the refusal.
        """
        size = len(self.url) + sum(len(name) + len(value) for name, value in self.headers)
        if size > MOST_HEAD_BYTES or len(self.headers) > MOST_HEADERS:
            most = f"of at most {MOST_HEAD_BYTES} in {MOST_HEADERS}"
            told = f"its head has {size} bytes in {len(self.headers)} headers, {most}"
            self._refusal = HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, told
            raise ValueError(told)
        if sum(name == b"host" for name, _ in self.headers) > 1:
            raise ValueError("two hosts: what stands before the gateway may have meant the other")
        upgrade = self.parser.should_upgrade()  # then the parser stops behind the head, and reads no body
        if upgrade and any(name in BODY_HEADERS and value != b"0" for name, value in self.headers):
            self._refusal = HTTPStatus.BAD_REQUEST, "it has a body and asks for an upgrade; leave Upgrade out"
            raise ValueError("a body behind an upgrade")
        self._phase, self._framing_bytes = "body", 0
        super().on_headers_complete()
        self.cycle.keep_alive &= not upgrade

    def on_body(self, body: bytes) -> None:
        """Take a part of a body in."""
        self._framing_bytes = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Note that a request is complete."""
        self._phase = None
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """Refuse what can't be read."""
        del msg
        self._refuse(*self._refusal)

    def pause_writing(self) -> None:
        """Start the time of a client that does not take its answer."""
        super().pause_writing()
        if self._stalled is None:
            self._stalled = self.loop.call_later(self.stall_timeout_s, self.transport.abort)

    def resume_writing(self) -> None:
        """Note that the client takes its answer."""
        super().resume_writing()
        self._stop_stalled()

    def timeout_keep_alive_handler(self) -> None:
        """Let an idle connection go, and do not wait long for it to take what was sent."""
        super().timeout_keep_alive_handler()
        self._linger()

    def on_response_complete(self) -> None:
        """Go on with the next request, or let the connection go."""
        super().on_response_complete()
        if self.transport.is_closing():
            self._linger()

    def connection_lost(self, exc: Exception | None) -> None:
        """End all timers."""
        self._time(None, 0.0)
        super().connection_lost(exc)
        self._unset_keepalive_if_required()
        self._stop_stalled()

    def _time(self, phase: str | None, seconds: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timed = phase
        self._timer = None if phase is None else self.loop.call_later(seconds, self._too_slow)

    def _too_slow(self) -> None:
        if self.transport.is_closing():
            return
        answering = self._timed == "body" and self.cycle.response_started
        if self._timed == "silence" or answering:
            self.transport.abort()
        else:
            self._refuse(HTTPStatus.REQUEST_TIMEOUT, f"its {self._timed} did not come in time; send it again at once")

    def _refuse(self, status: HTTPStatus, told: str) -> None:
        content = {
            "type": "about:blank",
            "title": status.phrase,
            "status": status,
            "detail": f"the request: {told}",
            "instance": f"urn:uuid:{uuid.uuid4()}",
        }
        body = json.dumps(content).encode()
        head = (
            f"HTTP/1.1 {status.value} {status.phrase}\r\ncontent-type: {MEDIA_TYPE}\r\n"
            f"content-length: {len(body)}\r\nconnection: close\r\n\r\n"
        )
        self.transport.write(head.encode() + body)
        self.transport.close()
        self._linger()

    def _linger(self) -> None:
        self._stop_stalled()
        self._stalled = self.loop.call_later(LINGER_S, self.transport.abort)

    def _stop_stalled(self) -> None:
        if self._stalled is not None:
            self._stalled.cancel()
            self._stalled = None
