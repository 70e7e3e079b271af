"""The role `simulator`: the app on uvicorn, on loopback unless told otherwise, until the worker asks it to stop."""

from __future__ import annotations

import asyncio
import contextlib

import uvicorn

from agents.simulator.app import make_app
from agents.simulator.broken_answers import CuttingProtocol
from agents.simulator.settings import ROLE_NAME, SimulatorSettings
from streams.embedded.port_book import PortBook
from streams.endpoints import read_endpoints, update_endpoints
from streams.engine.service import ServiceRun
from streams.http_server import BACKLOG, ListeningServer, address_of, allow_files, listen, until
from streams.role import ServiceRole
from streams.wall_clock import ClockMs, now_ms

KEEP_ALIVE_S = 60
GRACE_S = 5  # for answers under way when it is asked to stop
ADVICE = (
    "set THREADS_SIMULATOR_HOST to an address of this machine, and THREADS_SIMULATOR_PORT to a port that is free, or "
    "to 0 for any"
)


async def serve(run: ServiceRun, clock: ClockMs = now_ms) -> None:
    """Serve the simulator until asked to stop.

    Raises:
        SettingsError: the port is taken, or its folder in the home can't be written.
    """
    allow_files()
    settings, wanted = run.settings, run.settings.of(SimulatorSettings)
    app = make_app(settings, clock)
    port = PortBook(settings).port(ROLE_NAME, wanted.simulator_port)
    listening = listen("The simulator", wanted.simulator_host, port, ADVICE)
    with contextlib.closing(listening):
        config = uvicorn.Config(
            app,
            http=CuttingProtocol,
            ws="none",
            lifespan="off",  # opened here, where its errors are told
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_keep_alive=KEEP_ALIVE_S,
            timeout_graceful_shutdown=GRACE_S,
            backlog=BACKLOG,
        )
        async with app.router.lifespan_context(app):
            server = ListeningServer(config)
            serving = asyncio.create_task(server.serve(sockets=[listening]))
            await until(server.listens, serving)
            url = address_of(listening)
            update_endpoints(settings.home, simulator=url)
            run.ready(url)
            try:
                await until(run.stopping, serving)
            finally:
                if read_endpoints(settings.home).simulator == url:
                    update_endpoints(settings.home, simulator=None)
            app.state.ending.set()
            server.should_exit = True
            await serving


ROLE = ServiceRole(ROLE_NAME, serve)
