"""Which request to the loopback server goes wrong, and how: by list, by model, or by a seeded rate."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Literal

from aiohttp import web

Fault = Literal[
    "429",
    "500",
    "slow",
    "reset",
    "malformed",
    "empty",
    "401",
    "404",
    "400",
    "garbage",
    "refusal",
    "quota",
    "no-choices",
    "cut-off",
]
RATE_FAULTS: tuple[Fault, ...] = ("429", "500", "malformed", "empty", "garbage")

_ERRORS: dict[Fault, tuple[int, str | None, str]] = {
    "429": (429, "rate_limit_exceeded", "requests"),
    "quota": (429, "insufficient_quota", "insufficient_quota"),
    "500": (500, None, "server_error"),
    "401": (401, "invalid_api_key", "invalid_request_error"),
    "404": (404, "model_not_found", "invalid_request_error"),
    "400": (400, "context_length_exceeded", "invalid_request_error"),
}


class FaultRate:
    """Draw a fault for a share of the requests: the same ones for the same seed and order of requests."""

    def __init__(self, rate: float, kinds: Sequence[Fault], seed: int) -> None:
        self._rate = rate
        self._kinds = tuple(kinds)
        self._random = random.Random(seed)

    def draw(self) -> Fault | None:
        """Return the fault of the next request; None for a good answer."""
        if self._random.random() >= self._rate:
            return None
        return self._random.choice(self._kinds)


def error_body(fault: Fault) -> dict[str, object]:
    """Return the body that the API sends with a fault that has a status of its own."""
    _, code, kind = _ERRORS[fault]
    return {"error": {"message": "no", "type": kind, "param": None, "code": code}}


def error_status(fault: Fault | None) -> int | None:
    """Return the HTTP status of a fault; None for a good answer and for faults within an answer."""
    return _ERRORS[fault][0] if fault in _ERRORS else None


def failed_response(request: web.Request, fault: Fault | None, retry_after: str) -> web.Response | None:
    """Return what a fault of any endpoint looks like; None when it lies within the answer, or there is none."""
    if fault == "malformed":
        return web.Response(text='{"id": "chatcmpl-1", "choices": [', content_type="application/json")
    if fault == "reset":
        if request.transport is not None:
            request.transport.abort()
        return web.Response(status=500)  # nobody reads it
    status = error_status(fault)
    if fault is None or status is None:
        return None
    headers = {"Retry-After": retry_after} if status == 429 else {}
    return web.json_response(error_body(fault), status=status, headers=headers)
