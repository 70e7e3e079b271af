"""The route /mcp: streamable HTTP, without sessions; what a tool does goes through this gateway's own HTTP API."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from http import HTTPStatus

import httpx
from fastapi import FastAPI
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from mcp.server.transport_security import TransportSecuritySettings
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.routing import BaseRoute
from starlette.types import Receive, Scope, Send

from agents.gateway.mcp.server import Context, make_server
from agents.gateway.routing import GuardedEndpoint

PATH = "/mcp"
FORWARDED = ("authorization", "cookie", "x-threads-agent", "user-agent")


class McpEndpoint:
    """Answer MCP over HTTP; every message shows a token, and a tool's call to the API shows the same one."""

    def __init__(self, app: FastAPI, max_body_bytes: int) -> None:
        self._app = app
        self._manager = StreamableHTTPSessionManager(
            make_server(app.openapi, self._client_of),
            json_response=True,
            stateless=True,
            # Names of hosts need no check: no other site's script can show a token.
            security_settings=TransportSecuritySettings(enable_dns_rebinding_protection=False),
            max_request_body_size=max_body_bytes,
        )

    def route(self) -> BaseRoute:
        """Return the route, for all methods."""
        return GuardedEndpoint(PATH, self._handled)

    async def _handled(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Take messages alone: without sessions a GET would wait for ever for what never comes."""
        if scope["method"] != "POST":
            raise HTTPException(HTTPStatus.METHOD_NOT_ALLOWED, headers={"Allow": "POST"})
        await self._manager.handle_request(scope, receive, send)

    @contextlib.asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        """Serve while the context lasts: in a task of its own, for a context may end in another than it began in."""
        began, ended = asyncio.Event(), asyncio.Event()

        async def serve() -> None:
            async with self._manager.run():
                began.set()
                await ended.wait()

        task = asyncio.create_task(serve())
        await began.wait()
        try:
            yield
        finally:
            ended.set()
            await task

    @contextlib.asynccontextmanager
    async def _client_of(self, context: Context) -> AsyncIterator[httpx.AsyncClient]:
        request = context.request
        assert isinstance(request, Request)
        address = (request.client.host, request.client.port) if request.client else ("", 0)
        headers = {name: request.headers[name] for name in FORWARDED if name in request.headers}
        transport = httpx.ASGITransport(self._app, client=address)
        async with httpx.AsyncClient(
            transport=transport, base_url=str(request.base_url), headers=headers, trust_env=False
        ) as client:
            yield client
