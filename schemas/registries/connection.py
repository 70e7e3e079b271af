"""The connection to a Confluent-compatible registry: what it answers, or that it can't be asked now."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import httpx

from schemas.errors import RegistryUnavailable

MEDIA_TYPE = "application/vnd.schemaregistry.v1+json"
MAX_ANSWER_BYTES = 2**24
SHOWN_LENGTH = 200

_NOT_NOW = frozenset((HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS))
_NO_ACCESS = frozenset((HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.PROXY_AUTHENTICATION_REQUIRED))


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer below 500; `content` is its JSON, None where it is none."""

    path: str
    status: int
    text: str
    content: Any

    @property
    def is_ok(self) -> bool:
        """Tell whether it holds what was asked for."""
        return self.status == HTTPStatus.OK and self.content is not None

    @property
    def is_refusal(self) -> bool:
        """Tell whether it lays the blame on the request."""
        return HTTPStatus.BAD_REQUEST <= self.status < HTTPStatus.INTERNAL_SERVER_ERROR

    @property
    def gives_no_access(self) -> bool:
        """Tell whether who asks may not know."""
        return self.status in _NO_ACCESS

    @property
    def error_code(self) -> object:
        """Return Confluent's code of the error, None where it is not told."""
        return self.content.get("error_code") if isinstance(self.content, dict) else None


class RegistryConnection:
    """Ask by HTTP, each time for `timeout_s` to the answer and as long again for the whole of it at most."""

    def __init__(self, url: str, timeout_s: float) -> None:
        self._url = url.rstrip("/")
        self._timeout_s = timeout_s
        self._client = httpx.Client(
            timeout=timeout_s,
            headers={"Accept": MEDIA_TYPE, "Content-Type": MEDIA_TYPE},
            limits=httpx.Limits(max_keepalive_connections=0),  # asked a few times in a process: nothing to keep open
        )
        self.shown_url = _without_credentials(self._url)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def ask(self, method: str, path: str, body: dict[str, str] | None = None) -> Answer:
        """Return the answer to a request.

        Raises:
            RegistryUnavailable: there is none, or it says to come again.
        """
        try:
            status, content = self._received(method, self._url + path, body)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise RegistryUnavailable(
                f"The schema registry at {self.shown_url} does not answer: {error or type(error).__name__}; "
                "is it up, and is THREADS_REGISTRY_URL right?"
            ) from error
        if status in _NOT_NOW or (status >= HTTPStatus.INTERNAL_SERVER_ERROR and status != HTTPStatus.NOT_IMPLEMENTED):
            raise RegistryUnavailable(f"The schema registry at {self.shown_url} answers {status} to {path}")
        text = content.decode(errors="replace")
        return Answer(path, status, text, _json(text))

    def _received(self, method: str, url: str, body: dict[str, str] | None) -> tuple[int, bytes]:
        """Return status and body; one that comes in drops is not waited for."""
        received = bytearray()
        with self._client.stream(method, url, json=body) as answer:
            deadline = time.monotonic() + self._timeout_s
            for part in answer.iter_bytes():
                received += part
                if time.monotonic() > deadline:
                    raise httpx.ReadTimeout(f"the answer was not whole after {self._timeout_s:g} s")
                if len(received) > MAX_ANSWER_BYTES:
                    raise httpx.ReadError(f"the answer is longer than {MAX_ANSWER_BYTES:,} bytes")
            return answer.status_code, bytes(received)

    def unexpected(self, answer: Answer) -> RegistryUnavailable:
        """Return what an answer means that is none of a registry's: something around the records is to be corrected."""
        where = f"The schema registry at {self.shown_url} answers {answer.status} to {answer.path}"
        if answer.gives_no_access:
            return RegistryUnavailable(
                f"{where}: no access; give a user and password that may read schemas in THREADS_REGISTRY_URL, "
                "as in https://user:password@registry"
            )
        return RegistryUnavailable(
            f"{where}: {answer.text[:SHOWN_LENGTH]}; expected a Confluent-compatible API there, "
            "is THREADS_REGISTRY_URL right?"
        )


def _json(text: str) -> Any:  # noqa: ANN401 - JSON
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _without_credentials(url: str) -> str:
    try:
        parts = urlsplit(url)
    except ValueError:
        return "THREADS_REGISTRY_URL"  # no URL: what of it is a password can't be told
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
