"""Calls of platforms about tokens: JSON answers, bounded in time and size, and no secret in any error."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections.abc import Collection, Mapping
from http import HTTPStatus
from types import TracebackType
from typing import Self
from urllib.parse import quote, quote_plus, urlsplit

import httpx

from agents.platforms.contract import (
    PermissionMissing,
    PlatformAway,
    PlatformError,
    Refused,
    Restricted,
    Throttled,
    TokenRejected,
)
from agents.platforms.threads_faults import KINDS, Kind

MOST_BYTES = 2**20
MOST_MESSAGE_CHARS = 300
SECRETS = {"access_token", "client_secret", "code", "input_token", "password"}
REDACTED = "[redacted]"
Json = dict[str, object]


class _WithoutQuery(logging.Filter):
    """Keeps what follows the ? out of httpx's line of each call: OAuth has tokens there."""

    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.args, tuple):
            record.args = tuple(
                each.copy_with(query=None) if isinstance(each, httpx.URL) else each for each in record.args
            )
        return True


logging.getLogger("httpx").addFilter(_WithoutQuery())


class PlatformHttp:
    """Call platforms; redirects are not followed, so that no token goes where it was not sent."""

    def __init__(self, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self._client = httpx.AsyncClient(timeout=timeout_s, follow_redirects=False, trust_env=False)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._client.aclose()

    async def get(self, url: str, params: Mapping[str, str], *, bearer: str | None = None) -> Json:
        """Return what a GET answers.

        Raises:
            PlatformError: as its kind says; neither the bearer token nor a parameter of `SECRETS` is in it.
        """
        return await self._call("GET", url, _secrets(params, bearer), params=dict(params), headers=_headers(bearer))

    async def post_form(self, url: str, form: Mapping[str, str]) -> Json:
        """Return what a POST of a form answers; raises as `get` does."""
        return await self._call("POST", url, _secrets(form, None), data=dict(form), headers=_headers(None))

    async def post_json(self, url: str, body: Mapping[str, str]) -> Json:
        """Return what a POST of JSON answers; raises as `get` does."""
        return await self._call("POST", url, _secrets(body, None), json=dict(body), headers=_headers(None))

    async def post_empty(self, url: str, bearer: str) -> None:
        """Make a POST whose answer does not matter; that it fails does not either."""
        with contextlib.suppress(httpx.HTTPError):
            await self._client.post(url, headers=_headers(bearer))

    async def _call(self, method: str, url: str, secrets: Collection[str], **how: object) -> Json:
        where = urlsplit(url).netloc
        try:
            async with (
                asyncio.timeout(self._timeout_s),
                self._client.stream(method, url, **how) as answer,  # type: ignore[arg-type]
            ):
                body = bytearray()
                async for chunk in answer.aiter_bytes():
                    body += chunk
                    if len(body) > MOST_BYTES:
                        raise PlatformAway(f"{where} answered more than {MOST_BYTES:,} bytes; try again later")
        except (TimeoutError, httpx.TimeoutException):
            raise PlatformAway(
                f"{where} did not answer within {self._timeout_s:g} s; try again later, or raise "
                "THREADS_ACCOUNTS_TIMEOUT_S"
            ) from None
        except (httpx.HTTPError, httpx.InvalidURL) as error:  # none goes on: their request has the token in its address
            told = without_secrets(str(error) or type(error).__name__, secrets)
            raise PlatformAway(f"{where} can't be reached ({told}); see that the address is right") from None
        return _answered(where, answer.status_code, bytes(body), secrets)


def without_secrets(text: str, secrets: Collection[str]) -> str:
    """Return a platform's words without any of the secrets, as they are or encoded, on one line and cut."""
    for secret in sorted(set(secrets) - {""}, key=len, reverse=True):
        for form in (secret, quote(secret), quote(secret, safe=""), quote_plus(secret)):
            text = text.replace(form, REDACTED)
    line = " ".join("".join(each if each.isprintable() else " " for each in text).split())
    return line if len(line) <= MOST_MESSAGE_CHARS else line[:MOST_MESSAGE_CHARS] + "..."


def _secrets(parameters: Mapping[str, str], bearer: str | None) -> list[str]:
    found = [value for name, value in parameters.items() if name in SECRETS]
    return found if bearer is None else [*found, bearer]


def _headers(bearer: str | None) -> dict[str, str]:
    return {"accept": "application/json", "accept-encoding": "identity"} | (
        {} if bearer is None else {"authorization": f"Bearer {bearer}"}
    )


def _answered(where: str, status: int, body: bytes, secrets: Collection[str]) -> Json:
    try:
        found = json.loads(body)
    except ValueError:
        found = None
    if HTTPStatus(200) <= status < HTTPStatus.MULTIPLE_CHOICES and isinstance(found, dict):
        return found
    if status < HTTPStatus.BAD_REQUEST:
        raise PlatformAway(f"{where} answered {status} without a JSON object; see that the address is its API's")
    raise _fault(where, status, found if isinstance(found, dict) else {}, secrets)


def _fault(where: str, status: int, told: Json, secrets: Collection[str]) -> PlatformError:
    error = told.get("error")
    graph: Json = error if isinstance(error, dict) else {}
    words = graph.get("message") or told.get("error_message") or told.get("message") or error or f"status {status}"
    said = f"{where}: {without_secrets(str(words), secrets)}"
    kind = _kind(graph, status)
    if kind == "restricted":
        return Restricted(f"{said}; the account is restricted: see the app of the platform")
    if kind == "throttled":
        return Throttled(f"{said}; wait, and try again")
    if kind == "permission":
        return PermissionMissing(f"{said}; grant the permission, then add the account again", "")
    if kind == "token":
        return TokenRejected(f"{said}; the token is expired, revoked or wrong: add the account again")
    return PlatformAway(f"{said}; try again later") if kind == "away" else Refused(said)


def _kind(graph: Json, status: int) -> Kind:
    """Return the kind of an error of Graph, else that of a status; other platforms tell by status alone."""
    code, subcode = (
        each if isinstance(each, int) else None for each in (graph.get("code"), graph.get("error_subcode"))
    )
    known = KINDS.get((None, subcode)) if subcode is not None else None
    known = known or (KINDS.get((code, None)) if code is not None else None)
    if known in (None, "refused") and status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return "away"
    if known is None and status == HTTPStatus.UNAUTHORIZED:
        return "token"
    if known is None and status == HTTPStatus.TOO_MANY_REQUESTS:
        return "throttled"
    return known or "refused"
