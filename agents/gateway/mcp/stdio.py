"""`threads-agent mcp`: the tools over standard input and output, by way of a gateway that runs."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from http import HTTPStatus

import httpx
from mcp.server.stdio import stdio_server

from agents.gateway.auth.first_token import FILE_NAME, read_first_token
from agents.gateway.mcp.server import TIMEOUT_S, Context, make_server
from agents.gateway.settings import GatewaySettings
from streams.endpoints import resolve
from streams.errors import SettingsError, Unavailable
from streams.settings import Settings


async def serve_stdio(settings: Settings, url: str | None) -> None:
    """Serve until standard input ends.

    Raises:
        SettingsError: no gateway or no token is known.
        Unavailable: the gateway does not answer.
    """
    base_url, token = _address(settings, url), _token(settings)
    headers = {"authorization": f"Bearer {token}", "user-agent": "threads-agent mcp"}
    async with httpx.AsyncClient(base_url=base_url, headers=headers, timeout=TIMEOUT_S, trust_env=False) as client:
        api = await _openapi(client, base_url)

        @contextlib.asynccontextmanager
        async def client_of(_: Context) -> AsyncIterator[httpx.AsyncClient]:
            yield client

        server = make_server(lambda: api, client_of)
        async with stdio_server() as (read, write):
            await server.run(read, write, server.create_initialization_options())


def _address(settings: Settings, url: str | None) -> str:
    found = url or resolve(settings).gateway
    if found is None:
        raise SettingsError("no gateway is known: start one with `threads-agent up`, or name its address with --url")
    return found


def _token(settings: Settings) -> str:
    given = settings.of(GatewaySettings).gateway_token
    token = given.get_secret_value() if given else read_first_token(settings.home)
    if token is None:
        raise SettingsError(
            f"no token is known: set THREADS_GATEWAY_TOKEN; a gateway of the embedded stack writes one to its home "
            f"({settings.home / FILE_NAME})"
        )
    return token


async def _openapi(client: httpx.AsyncClient, base_url: str) -> dict[str, object]:
    try:
        answer = await client.get("/openapi.json")
        answer.raise_for_status()
        await _check_token(client)
        found: dict[str, object] = answer.json()
    except (httpx.HTTPError, ValueError) as error:
        raise Unavailable(
            f"the gateway at {base_url} does not answer ({type(error).__name__}: {error}); see `threads-agent status`"
        ) from error
    return found


async def _check_token(client: httpx.AsyncClient) -> None:
    answer = await client.get("/v1/me")
    if answer.status_code == HTTPStatus.UNAUTHORIZED:
        raise SettingsError("the gateway does not take the token: set THREADS_GATEWAY_TOKEN to one that holds")
