"""One attempt: a signed POST, and what its answer means."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Literal

import aiohttp

from agents.webhooks.addresses import AddressRefused, CheckingResolver, allows_private, checked_url
from agents.webhooks.settings import WebhookSettings
from agents.webhooks.signing import signature
from streams.settings import Settings

Verdict = Literal["delivered", "again", "refused", "gone"]
TRANSIENT = {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS}
USER_AGENT = "threads-agent-stack webhooks"


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of an attempt; `retry_after_s` is the least wait that the receiver asked for."""

    verdict: Verdict
    reason: str = ""
    status: int | None = None
    latency_ms: int = 0
    retry_after_s: float = 0.0


def verdict_of(status: int) -> Verdict:
    """Return what a status means: taken, to be tried again, refused for good, or nobody there any more."""
    if HTTPStatus(200) <= status < HTTPStatus.MULTIPLE_CHOICES:
        return "delivered"
    if status == HTTPStatus.GONE:
        return "gone"
    if status in TRANSIENT or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return "again"
    return "refused"


def retry_after_s(header: str | None, now: datetime) -> float:
    """Return the wait that the header Retry-After asks for, seconds or a date; 0 where it asks for none."""
    text = (header or "").strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        at = parsedate_to_datetime(text)
    except (ValueError, OverflowError):  # of any length: who writes it is a stranger
        return 0.0
    return max((at.replace(tzinfo=at.tzinfo or UTC) - now).total_seconds(), 0.0)


class Sender:
    """Post messages to receivers; redirects are not followed, and nothing of an answer's body is read."""

    def __init__(self, settings: Settings, now: Callable[[], datetime]) -> None:
        self._allow_private = allows_private(settings)
        self._timeout = aiohttp.ClientTimeout(total=settings.of(WebhookSettings).webhooks_timeout_s)
        self._now = now
        self._session: aiohttp.ClientSession | None = None

    async def post(self, url: str, secret: str, webhook_id: str, body: bytes) -> Answer:
        """Make one attempt; whatever goes wrong at the receiver's is told in the answer."""
        began = time.monotonic()
        try:
            target = checked_url(url, allow_private=self._allow_private)
            async with self._opened().post(
                target, data=body, headers=self._headers(secret, webhook_id, body), allow_redirects=False
            ) as response:
                status, asked = response.status, response.headers.get("retry-after")
        except AddressRefused as refused:
            return Answer("refused", str(refused), latency_ms=_ms_since(began))
        except TimeoutError:
            waited = f"{self._timeout.total:g} s"
            return Answer("again", f"the receiver did not answer within {waited}", latency_ms=_ms_since(began))
        except (aiohttp.ClientError, OSError, ValueError) as error:
            return Answer("again", f"{type(error).__name__}: {error}", latency_ms=_ms_since(began))
        return self._answer(status, asked, _ms_since(began))

    def _headers(self, secret: str, webhook_id: str, body: bytes) -> dict[str, str]:
        timestamp = int(self._now().timestamp())
        return {
            "content-type": "application/json",
            "user-agent": USER_AGENT,
            "webhook-id": webhook_id,
            "webhook-timestamp": str(timestamp),
            "webhook-signature": signature(secret, webhook_id, timestamp, body),
        }

    def _answer(self, status: int, asked: str | None, latency_ms: int) -> Answer:
        verdict = verdict_of(status)
        if verdict == "delivered":
            return Answer(verdict, "", status, latency_ms)
        return Answer(verdict, f"the receiver answered {status}", status, latency_ms, retry_after_s(asked, self._now()))

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            connector = aiohttp.TCPConnector(resolver=CheckingResolver(allow_private=self._allow_private), limit=0)
            self._session = aiohttp.ClientSession(
                connector=connector,
                timeout=self._timeout,
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
            )
        return self._session

    async def close(self) -> None:
        """Close the connections that are kept."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()


def _ms_since(began: float) -> int:
    return int((time.monotonic() - began) * 1000)
