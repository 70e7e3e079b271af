"""Grafana's HTTP interface, as far as it is written to: over one connection, with a token, with time-outs."""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

import aiohttp

from sinks.grafana_live.settings import GrafanaSettings
from streams.errors import ThreadsError, Unavailable

MAX_LINES = 500  # in one push
TOLD_BYTES = 300  # of an answer, in an error
REFUSED = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)


class GrafanaRefused(ThreadsError):
    """Grafana understood what it was sent, and says that it is wrong: that it is sent again would not mend it."""


class Grafana:
    """Writes to one Grafana; at most one request is under way.

    Every call raises `Unavailable` when Grafana is away, too busy or refuses the token, and `GrafanaRefused` when it
    refuses what it was sent; no error shows the token.
    """

    def __init__(self, settings: GrafanaSettings, timeout_s: float) -> None:
        """Take where it is and how long a call may take.

        Raises:
            SettingsError: it is not said where, or there is no token.
        """
        self._settings = settings
        self._url = settings.required_url()
        self._token = settings.token()
        self._timeout = aiohttp.ClientTimeout(total=timeout_s)
        self._session: aiohttp.ClientSession | None = None

    async def push(self, lines: Sequence[str]) -> None:
        """Push lines of Influx's protocol to the stream of Grafana Live, in order."""
        path = f"/api/live/push/{self._settings.grafana_live_stream}"
        for first in range(0, len(lines), MAX_LINES):
            body = "\n".join(lines[first : first + MAX_LINES]) + "\n"
            await self._post(path, data=body.encode(), headers={"Content-Type": "text/plain; charset=utf-8"})

    async def annotate(self, text: str, tags: Sequence[str], begin_ms: int, end_ms: int) -> None:
        """Write an annotation over a span of time, epoch milliseconds."""
        note = {"text": text, "tags": list(tags), "time": begin_ms, "timeEnd": end_ms}
        await self._post("/api/annotations", json=note)

    async def close(self) -> None:
        """Disconnect; the next call connects again."""
        if self._session is not None:
            session, self._session = self._session, None
            await session.close()

    async def _post(self, path: str, **content: Any) -> None:  # noqa: ANN401 - arguments of aiohttp
        status = await self._try(path, **content)
        if status in REFUSED:  # the token may have been rotated
            self._token = self._settings.token()
            status = await self._try(path, **content)
        if status in REFUSED:
            raise Unavailable(
                f"Grafana at {self._url} refuses the token ({status}): make one of a service account with the role "
                "Editor, and put it into THREADS_GRAFANA_TOKEN or THREADS_GRAFANA_TOKEN_FILE"
            )

    async def _try(self, path: str, *, headers: dict[str, str] | None = None, **content: Any) -> int:  # noqa: ANN401
        if self._session is None:
            connector = aiohttp.TCPConnector(limit=1)
            self._session = aiohttp.ClientSession(connector=connector, timeout=self._timeout)
        sent = {**(headers or {}), "Authorization": f"Bearer {self._token}"}
        try:
            async with self._session.post(self._url + path, headers=sent, allow_redirects=False, **content) as answer:
                told = (await answer.content.read(TOLD_BYTES)).decode(errors="replace")
        except (aiohttp.ClientError, TimeoutError) as error:
            reason = str(error) or type(error).__name__
            raise Unavailable(
                f"Grafana at {self._url} does not answer: {reason}; see that THREADS_GRAFANA_URL names it"
            ) from error
        if answer.status not in REFUSED:
            self._check(path, answer, told)
        return answer.status

    def _check(self, path: str, answer: aiohttp.ClientResponse, told: str) -> None:
        if answer.status < HTTPStatus.MULTIPLE_CHOICES:
            return
        said = f"Grafana at {self._url} answered {answer.status} to {path}: {told}"
        if answer.status == HTTPStatus.TOO_MANY_REQUESTS or answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            raise Unavailable(said, retry_after_s=_seconds(answer.headers.get("Retry-After")))
        if answer.status < HTTPStatus.BAD_REQUEST or answer.status == HTTPStatus.NOT_FOUND:
            raise Unavailable(
                f"{said}; see that THREADS_GRAFANA_URL is Grafana's own address, with its path, if it has one"
            )
        raise GrafanaRefused(said)


def _seconds(header: str | None) -> float | None:
    return float(header) if header is not None and header.isdigit() else None
