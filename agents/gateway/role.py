"""The role `gateway`: the app on uvicorn, until the worker asks it to stop."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl

import uvicorn
from fastapi import FastAPI

from agents.gateway.app import make_app
from agents.gateway.protocol import BoundedProtocol
from agents.gateway.redaction import redact_logs
from agents.gateway.settings import GatewaySettings
from streams.embedded.port_book import PortBook
from streams.endpoints import read_endpoints, update_endpoints
from streams.engine.service import ServiceRun
from streams.errors import SettingsError
from streams.http_server import BACKLOG, ListeningServer, address_of, allow_files, listen, until
from streams.role import ServiceRole
from streams.settings import Settings

NAME = "gateway"
KEEP_ALIVE_S = 15
GRACE_S = 10  # for requests under way when it is asked to stop


async def serve(run: ServiceRun) -> None:
    """Serve the gateway until asked to stop.

    Raises:
        SettingsError: the port is taken, or a file of TLS can't be used.
        Unavailable: Kafka does not answer.
    """
    redact_logs()
    allow_files()
    settings, wanted = run.settings, run.settings.of(GatewaySettings)
    app = make_app(settings)
    listening = _listening(settings)
    with contextlib.closing(listening):
        config = _config(app, wanted)
        async with app.router.lifespan_context(app):
            server = ListeningServer(config)
            serving = asyncio.create_task(server.serve(sockets=[listening]))
            await until(server.listens, serving)
            url = address_of(listening, "https" if wanted.gateway_tls_cert else "http")
            update_endpoints(settings.home, gateway=url)
            run.ready(url, [app.state.metrics.registry])
            try:
                await _until_stopped(run, app, server, serving)
            finally:
                if read_endpoints(settings.home).gateway == url:
                    update_endpoints(settings.home, gateway=None)


async def _until_stopped(run: ServiceRun, app: FastAPI, server: uvicorn.Server, serving: asyncio.Task[None]) -> None:
    await until(run.stopping, serving)
    app.state.gateway.live.hub.end_feeds()  # they would be waited for
    server.should_exit = True
    await serving


def _config(app: FastAPI, wanted: GatewaySettings) -> uvicorn.Config:
    config = uvicorn.Config(
        app,
        http=BoundedProtocol,
        ws="none",
        lifespan="off",  # opened here, where its errors are told
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=True,
        proxy_headers=False,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=GRACE_S,
        backlog=BACKLOG,
        ssl_certfile=wanted.gateway_tls_cert,
        ssl_keyfile=wanted.gateway_tls_key,
    )
    try:
        config.load()
    except (OSError, ssl.SSLError) as error:
        raise SettingsError(
            f"THREADS_GATEWAY_TLS_CERT and THREADS_GATEWAY_TLS_KEY can't be used ({error}): name PEM files of a "
            "certificate and its key"
        ) from error
    return config


def _listening(settings: Settings) -> socket.socket:
    wanted = settings.of(GatewaySettings)
    port = PortBook(settings).port(NAME, wanted.gateway_port)
    advice = (
        "set THREADS_GATEWAY_HOST to an address of this machine, and THREADS_GATEWAY_PORT to a port that is free, or "
        "to 0 for any"
    )
    return listen("The gateway", wanted.gateway_host, port, advice)


ROLE = ServiceRole(NAME, serve)
