"""One HTTP call to a platform: bounded in time and size, to the account's address alone, made once.

What its failure means is told by kind: a call that can be repeated is `PlatformAway`, one that acts is `OutcomeUnknown`
from the moment on that its connection stood.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from ipaddress import ip_address
from typing import Any, Literal
from urllib.parse import quote

import aiohttp
from yarl import URL

from agents.platforms.contract import Account, OutcomeUnknown, PlatformAway, PlatformError, Refused, TokenRejected
from agents.platforms.settings import PlatformSettings
from streams.settings import Settings

MAX_ANSWER_BYTES = 2**20
CONNECT_SHARE = 0.5
"""Share of a call's time within which its connection must stand: what fails until then surely did nothing."""
USER_AGENT = "threads-agent-stack"
_MAX_SAID = 300
_JWT = re.compile(r"\beyJ[\w-]+\.[\w-]+\.[\w-]*")
_SECRETS = re.compile(r"(?i)((?:access_token|client_secret|refresh_?token)[\"']?\s*[=:]\s*[\"']?)[^\s&\"',}]+")


@dataclass(frozen=True, slots=True)
class Call:
    """A call: what `path` under the account's address is asked.

    `acts`: it can't be taken back or simply repeated. `is_open`: it bears no token.
    """

    method: Literal["GET", "POST", "PUT", "DELETE"]
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    form: Mapping[str, str] | None = None
    json: object = None
    headers: Mapping[str, str] = field(default_factory=dict)
    acts: bool = False
    is_open: bool = False

    def unclear(self, why: str) -> PlatformError:
        """Return the fault of a call that got no clear answer."""
        if self.acts:
            return OutcomeUnknown(f"{why}; it may have been done: read back whether it is there before anything else")
        return PlatformAway(f"{why}; the same call may be made again in a while")


@dataclass(frozen=True, slots=True)
class Answer:
    """What a platform answered, of whatever status."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)

    def parsed(self) -> object:
        """Return the body as JSON; None where it is none, or empty."""
        try:
            found: object = json.loads(self.body)
        except (ValueError, RecursionError):
            return None
        return found

    def fields(self) -> Mapping[str, Any]:
        """Return the body as a JSON object; empty where it is none."""
        found = self.parsed()
        return found if isinstance(found, dict) else {}


class HttpCalls:
    """Makes calls to platforms over connections that are kept; shared by tasks, open until `close`.

    No call that acts is made twice, redirects are not followed, the environment's proxies and .netrc are not looked at.
    aiohttp takes a tenth of the CPU time of httpx here, which the poller of insights needs.
    """

    def __init__(self, settings: Settings) -> None:
        own = settings.of(PlatformSettings)
        self._connections = own.platform_connections
        self._timeout_s = own.platform_timeout_s
        self._session: aiohttp.ClientSession | None = None

    async def make(self, account: Account, call: Call, *, token: str | None = None) -> Answer:
        """Make a call once, with the account's token or another of its.

        Raises:
            PlatformAway: no connection came about, or a call that can be repeated got no answer.
            OutcomeUnknown: the same, but the call acts and may have arrived.
            Refused: the account's address is none that a token may be sent to.
            TokenRejected: the token can't be one.
        """
        url = address(account, call.path)
        checked = checked_token(token or account.token)
        headers = call.headers if call.is_open else {**call.headers, "authorization": f"Bearer {checked}"}
        try:
            return await self._answer(call, url, headers)
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            raise PlatformAway(
                f"no connection to {url.host} ({type(error).__name__}), nothing was done; see that it is up, then again"
            ) from None  # what aiohttp tells has the request with its headers
        except TimeoutError:
            raise call.unclear(f"{url.host} did not answer within {self._timeout_s:g} s") from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise call.unclear(f"the connection to {url.host} broke ({type(error).__name__})") from None

    async def _answer(self, call: Call, url: URL, headers: Mapping[str, str]) -> Answer:
        async with self._opened().request(
            call.method,
            url,
            params=call.query or None,
            data=call.form,
            json=call.json,
            headers=headers,
            allow_redirects=False,
        ) as response:
            if HTTPStatus.MULTIPLE_CHOICES <= response.status < HTTPStatus.BAD_REQUEST:
                raise call.unclear(
                    f"{url.host} sends elsewhere ({response.status}), and a token is not sent after: correct the"
                    " account's base_url"
                )
            if response.headers.get("content-encoding", "identity") != "identity":
                raise call.unclear("the answer is compressed, which was not asked for")
            parts, size = [], 0
            async for part in response.content.iter_any():
                size += len(part)
                if size > MAX_ANSWER_BYTES:
                    raise call.unclear(f"the answer is larger than {MAX_ANSWER_BYTES:,} bytes")
                parts.append(part)
            return Answer(response.status, response.headers, b"".join(parts))

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=self._connections),
                timeout=aiohttp.ClientTimeout(total=self._timeout_s, connect=self._timeout_s * CONNECT_SHARE),
                headers={"user-agent": USER_AGENT, "accept": "application/json", "accept-encoding": "identity"},
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
            )
        return self._session

    async def close(self) -> None:
        """Close the connections."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()


def address(account: Account, path: str) -> URL:
    """Return the address of a path under the account's.

    Raises:
        Refused: the account's base_url is not https, nor on this machine, nor a simulator's; no token is sent there.
    """
    try:
        base = URL(account.base_url.rstrip("/"))
        is_whole = bool(base.host and base.port) and base.user is None and not (base.query_string or base.fragment)
    except ValueError:
        base, is_whole = URL(), False
    if is_whole and (base.scheme == "https" or (base.scheme == "http" and _may_be_plain(account, base.host or ""))):
        return URL(str(base).rstrip("/") + path, encoded=True)
    raise Refused(
        f"the account {account.account_id!r} has the base_url {account.base_url[:200]!r}: expected https, or http of"
        " this machine; add the account again with the platform's address"
    )


def _may_be_plain(account: Account, host: str) -> bool:
    return account.simulated or _is_this_machine(host)


def _is_this_machine(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def checked_token(token: str) -> str:
    """Return a token that can stand in a header.

    Raises:
        TokenRejected: it can not.
    """
    if not token or not token.isascii() or not token.isprintable() or " " in token:
        raise TokenRejected("the account's token is empty or no token at all: add the account again")
    return token


def in_path(identity: str) -> str:
    """Return an id as a part of a path, whatever is in it."""
    return quote(identity, safe="") if identity.strip(".") else "-"


def said(message: object, account: Account) -> str:
    """Return what a platform said, cut and without the account's token or another secret."""
    text = " ".join(str(message).split()) if isinstance(message, str) else ""
    if account.token:
        text = text.replace(account.token, "[redacted]")
    return _SECRETS.sub(r"\1[redacted]", _JWT.sub("[redacted]", text))[:_MAX_SAID]
