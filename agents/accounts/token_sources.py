"""Where tokens come from, platform by platform: whose a token is, what it may do, until when, and how it is renewed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import ClassVar, Protocol

from agents.accounts.platform_http import Json, PlatformHttp
from agents.platforms.contract import Refused, TokenRejected
from streams.errors import ThreadsError

Clock = Callable[[], datetime]


class AccountError(ThreadsError):
    """An account can't be added or changed as asked; nothing was changed, and the message says what to do."""


@dataclass(frozen=True, slots=True)
class Grant:
    """A token with whose it is. `scopes` is empty, and `expires_at` None, where the platform does not tell."""

    token: str = field(repr=False)
    user_id: str
    username: str
    scopes: tuple[str, ...] = ()
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Renewal:
    """A token that came for another one of the same account."""

    token: str = field(repr=False)
    expires_at: datetime | None


class TokenSource(Protocol):
    """What a platform says about tokens. Every call raises a `PlatformError` where it does not succeed."""

    platform: ClassVar[str]
    least_age: ClassVar[timedelta | None]
    """Age from which a token can be renewed; None where tokens are not renewed."""

    async def grant(self, base_url: str, token: str, username: str | None) -> Grant:
        """Return whose a token is; AccountError where `username` is needed and not given."""
        ...

    async def renewed(self, base_url: str, token: str) -> Renewal:
        """Return a new token for one that is still good; which of the two is used then makes no difference."""
        ...


class BlueskyPasswords:
    """App passwords of Bluesky. What is kept is the password: who publishes opens sessions with it, and keeps none.

    Source: the lexicons com.atproto.server.createSession and deleteSession.
    """

    platform: ClassVar[str] = "bluesky"
    least_age: ClassVar[timedelta | None] = None

    def __init__(self, http: PlatformHttp) -> None:
        self._http = http

    async def grant(self, base_url: str, token: str, username: str | None) -> Grant:
        """Open a session with an app password, see whose it is, and end it."""
        if username is None:
            raise AccountError("an app password says not whose it is; name the account with --username HANDLE")
        session = await self._http.post_json(
            f"{base_url}/xrpc/com.atproto.server.createSession", {"identifier": username, "password": token}
        )
        if session.get("active") is False:
            raise TokenRejected(f"the account {username} is not active on the platform; activate it there")
        found = Grant(token, user_id=text_in(session, "did"), username=text_in(session, "handle"))
        await self._http.post_empty(f"{base_url}/xrpc/com.atproto.server.deleteSession", text_in(session, "refreshJwt"))
        return found

    async def renewed(self, base_url: str, token: str) -> Renewal:  # noqa: ARG002 - as the contract has it
        """Refuse: an app password holds until it is revoked."""
        raise Refused("an app password is not renewed; make another one in the settings of the account, and add it")


class MastodonTokens:
    """Access tokens of Mastodon, made in the settings of an account, under Development.

    Source: its documentation of verify_credentials of accounts and of apps, whose `scopes` came with 4.3.
    """

    platform: ClassVar[str] = "mastodon"
    least_age: ClassVar[timedelta | None] = None

    def __init__(self, http: PlatformHttp) -> None:
        self._http = http

    async def grant(self, base_url: str, token: str, username: str | None) -> Grant:  # noqa: ARG002
        """Ask whose a token is and what it may do."""
        owner = await self._http.get(f"{base_url}/api/v1/accounts/verify_credentials", {}, bearer=token)
        app = await self._http.get(f"{base_url}/api/v1/apps/verify_credentials", {}, bearer=token)
        return Grant(
            token, user_id=text_in(owner, "id"), username=text_in(owner, "acct"), scopes=texts_in(app, "scopes")
        )

    async def renewed(self, base_url: str, token: str) -> Renewal:  # noqa: ARG002 - as the contract has it
        """Refuse: an access token holds until it is revoked."""
        raise Refused("an access token of Mastodon is not renewed; make another one in its settings, and add it")


def text_in(answer: Json, name: str) -> str:
    """Return a text (or number, as text) of an answer; Refused where it is not there."""
    found = answer.get(name)
    if isinstance(found, bool) or not isinstance(found, str | int) or not str(found):
        raise Refused(f"the platform's answer has no {name!r}; see that the address is its API's")
    return str(found)


def texts_in(answer: Json, name: str) -> tuple[str, ...]:
    """Return a list of texts of an answer, in order; empty where it is not there."""
    found = answer.get(name)
    return tuple(sorted({str(each) for each in found})) if isinstance(found, list) else ()


def time_in(answer: Json, name: str) -> datetime | None:
    """Return a time in seconds since the epoch of an answer; None where it is not there, or 0, which means never."""
    found = answer.get(name)
    if isinstance(found, bool) or not isinstance(found, int) or found <= 0:
        return None
    return datetime.fromtimestamp(found, UTC)
