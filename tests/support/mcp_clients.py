"""The SDK's own client, over streamable HTTP and over stdio, to a gateway that listens."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Literal

import httpx2
import uvicorn
from mcp import Client, StdioServerParameters, stdio_client
from mcp.client.streamable_http import streamable_http_client

from tests.conftest import REPOSITORY
from tests.support.gateway import GatewayUnderTest

Transport = Literal["http", "stdio"]


@asynccontextmanager
async def listening(gateway: GatewayUnderTest) -> AsyncIterator[str]:
    """Serve a gateway's app on a free port; return its address."""
    config = uvicorn.Config(gateway.app, port=0, lifespan="off", log_config=None, timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve())
    while not server.started:
        assert not serving.done()
        await asyncio.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        await serving


@asynccontextmanager
async def mcp_client(transport: Transport, url: str, token: str, home: Path) -> AsyncIterator[Client]:
    """Connect as the holder of a token."""
    if transport == "stdio":
        environment = {**os.environ, "THREADS_HOME": str(home), "THREADS_GATEWAY_TOKEN": token}
        arguments = ["-m", "streams.cli.main", "mcp", "--url", url]
        server = StdioServerParameters(command=sys.executable, args=arguments, env=environment, cwd=REPOSITORY)
        async with Client(stdio_client(server)) as client:
            yield client
        return
    async with (
        httpx2.AsyncClient(headers={"Authorization": f"Bearer {token}"}, timeout=30) as http,
        Client(streamable_http_client(f"{url}/mcp", http_client=http)) as client,
    ):
        yield client
