"""A server of Bluesky on loopback: sessions, records and feeds as its lexicons have them, with a truth of its own.

Records are there at once, feeds and counts too unless `is_indexing` is off. Access tokens end when a test says so.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
import secrets
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from agents.platforms.texts import text_length
from tests.support.platforms.harness import RETRY_AFTER_S, TruePost
from tests.support.platforms.served import Faults, served

POSTS = "app.bsky.feed.post"
TID = re.compile(r"[234567abcdefghij][234567a-z]{12}")
PAGE = 2
"""Most posts of a page of a feed, whatever is asked for: a test's few posts are several pages."""
COUNTS = {"likes": "likeCount", "replies": "replyCount", "reposts": "repostCount", "quotes": "quoteCount"}


class XrpcError(Exception):
    """An error as XRPC tells it."""

    def __init__(self, status: int, error: str, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status, self.error, self.message, self.headers = status, error, message, headers

    def answer(self) -> web.Response:
        return web.json_response(
            {"error": self.error, "message": self.message}, status=self.status, headers=self.headers
        )


@dataclass(slots=True)
class Record:
    """A record as it is kept; `order` is when it came."""

    value: dict[str, Any]
    cid: str
    order: int
    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(COUNTS, 0))


@dataclass(slots=True)
class User:
    """An account with its records by key; `refreshes` are the refresh tokens that are good still."""

    did: str
    handle: str
    password: str
    records: dict[str, Record] = field(default_factory=dict)
    accesses: set[str] = field(default_factory=set)
    ended: set[str] = field(default_factory=set)
    refreshes: set[str] = field(default_factory=set)
    active: bool = True


class BlueskyServer:
    """The server's state, and its methods by name; tests call the controls from their own thread."""

    def __init__(self) -> None:
        self.users: dict[str, User] = {}
        self.asked: list[str] = []
        self.is_indexing = True
        self.faults = Faults(
            {
                "server_fault": XrpcError(500, "InternalServerError", "Internal Server Error").answer,
                "throttled": _throttled,
                "restricted": XrpcError(401, "AccountTakedown", "Account has been taken down").answer,
            }
        )
        self._made = 0

    # controls

    def add(self, name: str) -> User:
        did = f"did:plc:{hashlib.sha256(name.encode()).hexdigest()[:24]}"
        return self.users.setdefault(did, User(did, f"{name}.example", secrets.token_urlsafe(12)))

    def end_access(self, did: str) -> None:
        """Let an account's access tokens be too old; a refresh token gives another."""
        user = self.users[did]
        user.ended |= user.accesses
        user.accesses.clear()

    def revoke(self, did: str) -> None:
        """Let an account's app password be deleted, with all that was opened by it."""
        self.end_access(did)
        self.users[did].refreshes.clear()
        self.users[did].password = secrets.token_urlsafe(12)

    def truth(self, did: str) -> list[TruePost]:
        """Return the posts that are there, the oldest first."""
        records = sorted(self.users[did].records.items(), key=lambda each: each[1].order)
        return [TruePost(_uri(did, key), record.value["text"], _parent(record)) for key, record in records]

    def record(self, uri: str) -> Record:
        did, _, key = uri.removeprefix("at://").split("/")
        return self.users[did].records[key]

    # who asks

    def _user(self, request: web.Request) -> User:
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        for user in self.users.values():
            if token in user.accesses:
                return user
            if token in user.ended:
                raise XrpcError(400, "ExpiredToken", "Token has expired")
        if not token:
            raise XrpcError(401, "AuthMissing", "Authentication Required")
        raise XrpcError(400, "InvalidToken", "Token could not be verified")

    def _session(self, user: User) -> web.Response:
        self._made += 1
        access, refresh = (f"eyJhbGciOiJub25lIn0.{kind}{self._made}.{secrets.token_urlsafe(8)}" for kind in "ar")
        user.accesses.add(access)
        user.refreshes.add(refresh)
        told: dict[str, Any] = {"did": user.did, "handle": user.handle, "accessJwt": access, "refreshJwt": refresh}
        told |= {"active": True} if user.active else {"active": False, "status": "deactivated"}
        return web.json_response(told)

    async def create_session(self, request: web.Request) -> web.Response:
        asked = await request.json()
        assert "authorization" not in request.headers, "a password goes into the body alone"
        for user in self.users.values():
            if asked["identifier"] in {user.did, user.handle} and asked["password"] == user.password:
                return self._session(user)
        raise XrpcError(401, "AuthenticationRequired", "Invalid identifier or password")

    async def refresh_session(self, request: web.Request) -> web.Response:
        if await request.read():
            raise XrpcError(400, "InvalidRequest", "A request body was provided when none was expected")
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        for user in self.users.values():
            if token in user.refreshes:
                user.refreshes.discard(token)
                return self._session(user)
        raise XrpcError(400, "ExpiredToken", "Token has been revoked")

    async def delete_session(self, request: web.Request) -> web.Response:
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        for user in self.users.values():
            user.refreshes.discard(token)
        return web.Response()

    async def get_session(self, request: web.Request) -> web.Response:
        user = self._user(request)
        return web.json_response({"did": user.did, "handle": user.handle, "active": user.active})

    # records

    async def put_record(self, request: web.Request) -> web.StreamResponse:
        user = self._user(request)
        return await self.faults.befall(request, user.did, "publish", lambda: self._put(user, request))

    async def _put(self, user: User, request: web.Request) -> web.Response:
        asked = await request.json()
        key, value = asked["rkey"], asked["record"]
        if asked["repo"] not in {user.did, user.handle} or asked["collection"] != POSTS:
            raise XrpcError(400, "InvalidRequest", "Could not find repo")
        self._check(key, value)
        cid = _cid(value)
        known = user.records.get(key)
        if known is None or known.cid != cid:
            if known is not None and asked.get("swapRecord", known.cid) != known.cid:
                raise XrpcError(400, "InvalidSwap", f"Record was at {known.cid}")
            self._made += 1
            user.records[key] = Record(value, cid, self._made)
        return web.json_response({"uri": _uri(user.did, key), "cid": cid, "validationStatus": "valid"})

    def _check(self, key: str, value: dict[str, Any]) -> None:
        text = value["text"]
        size = len(text.encode())
        if not TID.fullmatch(key):
            raise XrpcError(400, "InvalidRequest", "Invalid record key: expected a TID")
        if size > 3_000:
            raise _invalid("text must not be longer than 3000 bytes")
        if text_length(text, "graphemes") > 300:
            raise _invalid("text must not be longer than 300 graphemes")
        if not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", value["createdAt"]):
            raise _invalid("createdAt must be an valid atproto datetime")
        for facet in value.get("facets", []):
            if not 0 <= facet["index"]["byteStart"] < facet["index"]["byteEnd"] <= size:
                raise _invalid("facets/0/index is not within the text")
        for reference in value.get("reply", {}).values():
            if self.record(reference["uri"]).cid != reference["cid"]:
                raise _invalid("reply does not refer to the post as it is")

    async def get_record(self, request: web.Request) -> web.Response:
        self._user(request)
        repo, key = request.query["repo"], request.query["rkey"]
        found = self.users[repo].records.get(key) if repo in self.users else None
        if found is None or request.query["collection"] != POSTS:
            raise XrpcError(400, "RecordNotFound", f"Could not locate record: {_uri(repo, key)}")
        return web.json_response({"uri": _uri(repo, key), "cid": found.cid, "value": found.value})

    async def delete_record(self, request: web.Request) -> web.StreamResponse:
        user = self._user(request)

        async def act() -> web.Response:
            asked = await request.json()
            assert (asked["repo"], asked["collection"]) == (user.did, POSTS)
            user.records.pop(asked["rkey"], None)
            return web.json_response({"commit": {"cid": "bafy", "rev": "3k"}})

        return await self.faults.befall(request, user.did, "delete", act)

    # feeds

    async def get_posts(self, request: web.Request) -> web.StreamResponse:
        user = self._user(request)

        async def act() -> web.Response:
            wanted = request.query.getall("uris") if self.is_indexing else []
            found = [(did, key) for did, of in self.users.items() for key in of.records if _uri(did, key) in wanted]
            return web.json_response({"posts": [self._view(did, key) for did, key in found]})

        return await self.faults.befall(request, user.did, "insights", act)

    async def get_author_feed(self, request: web.Request) -> web.Response:
        self._user(request)
        did, start = request.query["actor"], int(request.query.get("cursor", "0"))
        assert request.query["filter"] == "posts_with_replies"
        newest = sorted(self.users[did].records.items(), key=lambda each: -each[1].order) if self.is_indexing else []
        rows: list[dict[str, Any]] = [{"post": self._view(did, key)} for key, _ in newest[start : start + PAGE]]
        if not start:  # of somebody else
            reason = {"$type": "app.bsky.feed.defs#reasonRepost", "by": {"did": did}}
            rows.insert(
                0, {"post": {"uri": _uri("did:plc:other", "3k2a"), "record": {"text": "No."}}, "reason": reason}
            )
        more = {"cursor": str(start + PAGE)} if newest[start + PAGE :] else {}
        return web.json_response({"feed": rows, **more})

    def _view(self, did: str, key: str) -> dict[str, Any]:
        record = self.users[did].records[key]
        counts = {COUNTS[name]: count for name, count in record.counts.items()}
        author = {"did": did, "handle": self.users[did].handle}
        at = record.value["createdAt"]
        view = {"uri": _uri(did, key), "cid": record.cid, "author": author, "record": record.value, "indexedAt": at}
        return {**view, **counts}

    async def get_profile(self, request: web.Request) -> web.Response:
        self._user(request)
        user = self.users[request.query["actor"]]
        return web.json_response({"did": user.did, "handle": user.handle, "followersCount": 7, "postsCount": 1})

    def app(self) -> web.Application:
        """Return what answers."""
        methods: dict[str, tuple[str, Callable[[web.Request], Awaitable[web.StreamResponse]]]] = {
            "com.atproto.server.createSession": ("POST", self.create_session),
            "com.atproto.server.refreshSession": ("POST", self.refresh_session),
            "com.atproto.server.deleteSession": ("POST", self.delete_session),
            "com.atproto.server.getSession": ("GET", self.get_session),
            "com.atproto.repo.putRecord": ("POST", self.put_record),
            "com.atproto.repo.getRecord": ("GET", self.get_record),
            "com.atproto.repo.deleteRecord": ("POST", self.delete_record),
            "app.bsky.feed.getPosts": ("GET", self.get_posts),
            "app.bsky.feed.getAuthorFeed": ("GET", self.get_author_feed),
            "app.bsky.actor.getProfile": ("GET", self.get_profile),
        }

        async def answered(request: web.Request) -> web.StreamResponse:
            name = request.match_info["name"]
            self.asked.append(name)
            method, act = methods.get(name, ("", None))
            if act is None or method != request.method:
                return XrpcError(501, "MethodNotImplemented", "Method Not Implemented").answer()
            try:
                return await act(request)
            except XrpcError as error:
                return error.answer()

        app = web.Application()
        app.router.add_route("*", "/xrpc/{name}", answered)
        return app


def _throttled() -> web.Response:
    reset = math.ceil(time.time() + RETRY_AFTER_S)
    headers = {"ratelimit-limit": "1666", "ratelimit-remaining": "0", "ratelimit-reset": str(reset)}
    return XrpcError(429, "RateLimitExceeded", "Rate Limit Exceeded", headers).answer()


def _invalid(what: str) -> XrpcError:
    return XrpcError(400, "InvalidRequest", f"Invalid {POSTS} record: Record/{what}")


def _uri(did: str, key: str) -> str:
    return f"at://{did}/{POSTS}/{key}"


def _cid(value: dict[str, Any]) -> str:
    return "bafyrei" + hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:52]


def _parent(record: Record) -> str | None:
    reply = record.value.get("reply")
    return reply["parent"]["uri"] if reply else None


@contextmanager
def bluesky_server() -> Iterator[tuple[BlueskyServer, str]]:
    """Serve while the context lasts; yields the server and its address."""
    server = BlueskyServer()
    with served(server.app) as url:
        yield server, url
