"""What Bluesky and Mastodon answer about tokens, as documented, on loopback."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web

APP_PASSWORD = "abcd-efgh-ijkl-mnop"
DID, HANDLE = "did:plc:ewvi7nxzyoun6zhxrhs64oiz", "ada.example"
MASTODON_TOKEN = "ZA-Yj3aBD8U8Cm7lKUp-lm9O9BmDgdhHzDeqsY8tlL0"


@dataclass(slots=True)
class OtherPlatforms:
    """A server that knows one account of each; `ended` are the sessions of Bluesky that were ended."""

    url: str = ""
    scopes: list[str] | None = field(default_factory=lambda: ["read", "write"])
    ended: list[str] = field(default_factory=list)

    async def create_session(self, request: web.Request) -> web.Response:
        asked = await request.json()
        if asked != {"identifier": HANDLE, "password": APP_PASSWORD}:
            wrong = {"error": "AuthenticationRequired", "message": f"Invalid identifier or password {asked}"}
            return web.json_response(wrong, status=401)
        session = {"did": DID, "handle": HANDLE, "accessJwt": "access", "refreshJwt": "refresh", "active": True}
        return web.json_response(session)

    async def delete_session(self, request: web.Request) -> web.Response:
        self.ended.append(request.headers["authorization"])
        return web.Response()

    async def account(self, request: web.Request) -> web.Response:
        return self._answered(request, {"id": "14715", "username": "ada", "acct": "ada", "followers_count": 3})

    async def app(self, request: web.Request) -> web.Response:
        told: dict[str, object] = {"name": "ours", "website": None}
        return self._answered(request, told if self.scopes is None else {**told, "scopes": self.scopes})

    def _answered(self, request: web.Request, told: dict[str, object]) -> web.Response:
        if request.headers.get("authorization") != f"Bearer {MASTODON_TOKEN}":
            return web.json_response({"error": "The access token is invalid"}, status=401)
        return web.Response(body=json.dumps(told), content_type="application/json")


@asynccontextmanager
async def other_platforms() -> AsyncIterator[OtherPlatforms]:
    """Serve both while the context lasts."""
    platforms, app = OtherPlatforms(), web.Application()
    app.router.add_post("/xrpc/com.atproto.server.createSession", platforms.create_session)
    app.router.add_post("/xrpc/com.atproto.server.deleteSession", platforms.delete_session)
    app.router.add_get("/api/v1/accounts/verify_credentials", platforms.account)
    app.router.add_get("/api/v1/apps/verify_credentials", platforms.app)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        host, port = runner.addresses[0][:2]
        platforms.url = f"http://{host}:{port}"
        yield platforms
    finally:
        await runner.cleanup()
