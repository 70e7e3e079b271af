"""The front: what holds for every request, whichever route answers it, as plain ASGI."""

from __future__ import annotations

import time
import uuid
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from agents.gateway.metrics import RequestMetrics
from agents.gateway.problems import problem_of, refusal_of
from agents.gateway.state import Gateway

UNMATCHED = "unmatched"  # the label of paths that no route has: any text of a client as a label would be endless
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
UNCOUNTED = frozenset({"/livez", "/readyz", "/metrics"})  # what watches the gateway is not cut off by its clients
BULK = frozenset({"/v1/requests", "/v1/engagement", "/mcp"})  # what many things are sent to at once
MOST_SINGLE_BYTES = 256 * 2**10  # elsewhere: what is read there at leisure would hold up everybody else
API_POLICY = b"default-src 'none'; frame-ancestors 'none'"
PAGE_POLICY = (
    b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    b"connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
"""Of every HTML page: nothing from elsewhere, no script or style in the page itself."""
HEADERS: tuple[tuple[bytes, bytes], ...] = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=()"),
    (b"cache-control", b"no-store"),
)
STRICT_TRANSPORT = (b"strict-transport-security", b"max-age=31536000")
ANSWERED_S = "answered_s"
"""Where an answer that does not end of itself says when it began: that is what its reader waited for."""


class Front:
    """Give each request an id, count and time it, add the headers of every answer, and answer what no one answered."""

    def __init__(self, app: ASGIApp, metrics: RequestMetrics, most_bytes: int) -> None:
        """Take the app, its metrics, and how many bytes a body may have."""
        self._most_bytes = most_bytes
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began_s, status, request_id = time.perf_counter(), 0, str(uuid.uuid4())
        state: dict[str, Any] = scope.setdefault("state", {})
        state["request_id"] = request_id

        async def told(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = _headers(message["headers"], scope["scheme"], request_id)
            await send(message)

        try:
            await _count(scope)
            await self._app(scope, self._bounded(scope, receive), told)
        except Exception as error:
            if status:
                raise
            await problem_of(request_id, refusal_of(error))(scope, receive, told)
        finally:
            method = scope["method"] if scope["method"] in METHODS else UNMATCHED
            seconds = state.get(ANSWERED_S, time.perf_counter()) - began_s
            self._metrics.observe(method, state.get("template", UNMATCHED), status, seconds)

    def _bounded(self, scope: Scope, receive: Receive) -> Receive:
        """Return a way to receive a body that is not too large.

        Raises:
            HTTPException: its head says that it is.
        """
        most = self._most_bytes if scope["path"] in BULK else min(self._most_bytes, MOST_SINGLE_BYTES)
        length = next((value for name, value in scope["headers"] if name == b"content-length"), None)
        if length is None:
            return _counted(receive, most)
        if int(length) > most:  # digits alone: the parser refuses others
            raise HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        return receive


def _counted(receive: Receive, most: int) -> Receive:
    came = 0

    async def counted() -> Message:
        nonlocal came
        message = await receive()
        came += len(message.get("body", b""))
        if came > most:
            raise HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        return message

    return counted


async def _count(scope: Scope) -> None:
    app: FastAPI = scope["app"]
    gateway: Gateway = app.state.gateway
    if scope["client"] and scope["path"] not in UNCOUNTED:
        await gateway.rates.count_address(scope["client"][0])


def _headers(given: list[tuple[bytes, bytes]], scheme: str, request_id: str) -> list[tuple[bytes, bytes]]:
    named = dict(given)
    added = [each for each in HEADERS if each[0] not in named]
    if b"content-security-policy" not in named:
        is_page = named.get(b"content-type", b"").startswith(b"text/html")
        added.append((b"content-security-policy", PAGE_POLICY if is_page else API_POLICY))
    if scheme == "https":
        added.append(STRICT_TRANSPORT)
    return [*given, *added, (b"x-request-id", request_id.encode())]
