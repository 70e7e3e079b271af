"""A server of Mastodon on loopback: statuses and accounts as documented, with a truth of its own."""

from __future__ import annotations

import html
import re
import secrets
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from aiohttp import web

from agents.platforms.texts import text_length
from streams.wall_clock import utc_now
from tests.support.platforms.harness import RETRY_AFTER_S, TruePost
from tests.support.platforms.served import Faults, served

PAGE = 2
"""Most statuses of a page, whatever is asked for: a test's few posts are several pages."""
FIRST_ID = 115_600_000_000_000_000
COUNTS = {"likes": "favourites_count", "replies": "replies_count", "reposts": "reblogs_count"}
_LINK = re.compile(r"https?://\S+")
_MENTION = re.compile(r"@(\w+)@([\w.]+)")


class ApiError(Exception):
    """An error as the API tells it."""

    def __init__(self, status: int, error: str, **headers: str) -> None:
        super().__init__(error)
        self.status, self.error, self.headers = status, error, headers

    def answer(self) -> web.Response:
        return web.json_response({"error": self.error}, status=self.status, headers=self.headers)


@dataclass(slots=True)
class Status:
    """A post; `text` is what it was made of."""

    status_id: str
    account_id: str
    text: str
    created_at: datetime
    in_reply_to_id: str | None
    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(COUNTS, 0))


@dataclass(slots=True)
class User:
    """An account with the one token that it has."""

    account_id: str
    username: str
    token: str
    scopes: tuple[str, ...] = ("read", "write")


class MastodonServer:
    """The server's state, and what answers; tests call the controls from their own thread."""

    def __init__(self) -> None:
        self.users: dict[str, User] = {}
        self.statuses: dict[str, Status] = {}
        self.max_characters: int | None = 500
        self.asked: list[str] = []
        self.faults = Faults(
            {
                "server_fault": ApiError(500, "Something went wrong").answer,
                "throttled": _throttled,
                "restricted": ApiError(403, "Your login is currently disabled").answer,
            }
        )
        self._keys: dict[tuple[str, str], str] = {}

    # controls

    def add(self, name: str, *scopes: str) -> User:
        account_id = str(109_000 + len(self.users))
        user = User(account_id, name, secrets.token_urlsafe(32), scopes or ("read", "write"))
        self.users[account_id] = user
        return user

    def revoke(self, account_id: str) -> None:
        self.users[account_id].token = secrets.token_urlsafe(32)

    def truth(self, account_id: str) -> list[TruePost]:
        """Return the posts that are there, the oldest first."""
        own = [each for each in self.statuses.values() if each.account_id == account_id]
        return [TruePost(each.status_id, each.text, each.in_reply_to_id) for each in own]

    def forget_keys(self) -> None:
        """Let the hour be over for which idempotency keys are kept."""
        self._keys.clear()

    # who asks

    def _user(self, request: web.Request, scope: str | None) -> User:
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        user = next((each for each in self.users.values() if each.token == token), None)
        if user is None:
            raise ApiError(401, "The access token is invalid")
        if scope is not None and not {scope, scope.partition(":")[0]} & {*user.scopes}:
            raise ApiError(403, "This action is outside the authorized scopes")
        return user

    def _status(self, status_id: str) -> Status:
        found = self.statuses.get(status_id)
        if found is None:
            raise ApiError(404, "Record not found")
        return found

    # statuses

    async def post_status(self, request: web.Request) -> web.StreamResponse:
        user = self._user(request, "write:statuses")
        return await self.faults.befall(request, user.account_id, "publish", lambda: self._post(user, request))

    async def _post(self, user: User, request: web.Request) -> web.Response:
        asked = await request.json()
        key = (user.account_id, request.headers["idempotency-key"])
        if key in self._keys:
            return web.json_response(self._told(self._status(self._keys[key])))
        text = asked["status"].strip()
        if self.max_characters is not None and text_length(text, "characters") > self.max_characters:
            raise ApiError(422, f"Validation failed: Text character limit of {self.max_characters} exceeded")
        reply_to = asked.get("in_reply_to_id")
        if reply_to is not None:
            self._status(reply_to)
        made = Status(str(FIRST_ID + len(self._keys) + len(self.statuses)), user.account_id, text, utc_now(), reply_to)
        while made.status_id in self.statuses:
            made.status_id = str(int(made.status_id) + 1)
        self.statuses[made.status_id] = made
        self._keys[key] = made.status_id
        return web.json_response(self._told(made))

    async def get_status(self, request: web.Request) -> web.StreamResponse:
        user = self._user(request, "read:statuses")

        async def act() -> web.Response:
            return web.json_response(self._told(self._status(request.match_info["id"])))

        return await self.faults.befall(request, user.account_id, "insights", act)

    async def get_source(self, request: web.Request) -> web.Response:
        self._user(request, "read:statuses")
        status = self._status(request.match_info["id"])
        return web.json_response({"id": status.status_id, "text": status.text, "spoiler_text": ""})

    async def delete_status(self, request: web.Request) -> web.StreamResponse:
        user = self._user(request, "write:statuses")

        async def act() -> web.Response:
            status = self._status(request.match_info["id"])
            del self.statuses[status.status_id]
            return web.json_response({**self._told(status), "text": status.text})

        return await self.faults.befall(request, user.account_id, "delete", act)

    def _told(self, status: Status) -> dict[str, Any]:
        user = self.users[status.account_id]
        at = status.created_at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{status.created_at.microsecond // 1000:03d}Z"
        return {
            "id": status.status_id,
            "created_at": at,
            "in_reply_to_id": status.in_reply_to_id,
            "visibility": "public",
            "url": f"https://mastodon.example/@{user.username}/{status.status_id}",
            "content": _content(status.text),
            "reblog": None,
            "account": {"id": user.account_id, "acct": user.username},
            **{COUNTS[name]: count for name, count in status.counts.items()},
        }

    # accounts

    async def account_statuses(self, request: web.Request) -> web.Response:
        self._user(request, "read:statuses")
        assert request.query["exclude_reblogs"] == "true"
        before = int(request.query.get("max_id", str(10**20)))
        own = [each for each in self.statuses.values() if each.account_id == request.match_info["id"]]
        newest = sorted((each for each in own if int(each.status_id) < before), key=lambda each: -int(each.status_id))
        return web.json_response([self._told(each) for each in newest[:PAGE]])

    async def verify_account(self, request: web.Request) -> web.Response:
        user = self._user(request, "read:accounts")
        return web.json_response({"id": user.account_id, "acct": user.username, "followers_count": 3})

    async def verify_app(self, request: web.Request) -> web.Response:
        user = self._user(request, None)
        return web.json_response({"name": "ours", "website": None, "scopes": list(user.scopes)})

    async def instance(self, _: web.Request) -> web.Response:
        limits = {} if self.max_characters is None else {"max_characters": self.max_characters}
        statuses = {**limits, "characters_reserved_per_url": 23}
        return web.json_response({"domain": "mastodon.example", "configuration": {"statuses": statuses}})

    def app(self) -> web.Application:
        """Return what answers."""
        routes: list[tuple[str, str, Callable[[web.Request], Awaitable[web.StreamResponse]]]] = [
            ("POST", "/api/v1/statuses", self.post_status),
            ("GET", "/api/v1/statuses/{id}", self.get_status),
            ("GET", "/api/v1/statuses/{id}/source", self.get_source),
            ("DELETE", "/api/v1/statuses/{id}", self.delete_status),
            ("GET", "/api/v1/accounts/verify_credentials", self.verify_account),
            ("GET", "/api/v1/apps/verify_credentials", self.verify_app),
            ("GET", "/api/v1/accounts/{id}/statuses", self.account_statuses),
            ("GET", "/api/v2/instance", self.instance),
        ]

        @web.middleware
        async def told(
            request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
        ) -> web.StreamResponse:
            self.asked.append(f"{request.method} {request.path}")
            try:
                return await handler(request)
            except ApiError as error:
                return error.answer()
            except web.HTTPNotFound:
                return ApiError(404, "Not Found").answer()

        app = web.Application(middlewares=[told])
        for method, path, act in routes:
            app.router.add_route(method, path, act)
        return app


def _throttled() -> web.Response:
    reset = (utc_now() + timedelta(seconds=RETRY_AFTER_S)).isoformat(timespec="microseconds").replace("+00:00", "Z")
    limits = {"X-RateLimit-Limit": "300", "X-RateLimit-Remaining": "0", "X-RateLimit-Reset": reset}
    return web.json_response({"error": "Too many requests"}, status=429, headers=limits)


def _content(text: str) -> str:
    """Return the HTML that a text becomes: paragraphs, breaks, links in parts, mentions without their server."""

    def link(found: re.Match[str]) -> str:
        scheme, rest = found.group(0).split("://", 1)
        shown, hidden = rest[:30], rest[30:]
        return (
            f'<a href="{found.group(0)}" target="_blank" rel="nofollow noopener"><span class="invisible">{scheme}://</span>'
            f'<span class="ellipsis">{shown}</span><span class="invisible">{hidden}</span></a>'
        )

    def mention(found: re.Match[str]) -> str:
        url = f"https://{found.group(2)}/@{found.group(1)}"
        return f'<span class="h-card"><a href="{url}" class="u-url mention">@<span>{found.group(1)}</span></a></span>'

    marked = _MENTION.sub(mention, _LINK.sub(link, html.escape(text.replace("\r\n", "\n"))))
    return "".join(f"<p>{each.replace(chr(10), '<br />')}</p>" for each in re.split(r"\n{2,}", marked))


@contextmanager
def mastodon_server() -> Iterator[tuple[MastodonServer, str]]:
    """Serve while the context lasts; yields the server and its address."""
    server = MastodonServer()
    with served(server.app) as url:
        yield server, url
