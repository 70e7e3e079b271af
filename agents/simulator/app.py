"""The app: all parts of the simulator put together; its lifespan opens the truth, and closes it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from http import HTTPStatus

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response

from agents.accounts.settings import AccountSettings
from agents.simulator.calls import Calls, answered
from agents.simulator.control_routes import ControlRoutes
from agents.simulator.faults import Faults
from agents.simulator.graph_errors import GraphError
from agents.simulator.graph_routes import GraphRoutes
from agents.simulator.insights import Insights
from agents.simulator.media import Media
from agents.simulator.publishing import Publishing
from agents.simulator.settings import SimulatorSettings
from agents.simulator.tokens import Tokens
from agents.simulator.truth import Truth
from agents.simulator.webhooks import DEFAULT_SECRET, Subscription, Webhooks
from agents.simulator.world import World
from streams.endpoints import make_home
from streams.settings import Settings
from streams.wall_clock import ClockMs, now_ms

FOLDER = "simulator"


def make_app(settings: Settings, clock: ClockMs = now_ms) -> FastAPI:
    """Make the simulator's app; `app.state.ending` is set to let answers go that never come."""
    ending = asyncio.Event()

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        with contextlib.closing(Truth(make_home(settings) / FOLDER)) as truth:
            async with _routed(app, World(truth, settings.of(SimulatorSettings), clock), settings):
                yield

    app = FastAPI(lifespan=lifespan, openapi_url=None, redirect_slashes=False)
    app.state.ending = ending
    app.add_exception_handler(HTTPStatus.NOT_FOUND, _unknown_path)
    app.add_exception_handler(HTTPStatus.METHOD_NOT_ALLOWED, _unknown_path)
    return app


@contextlib.asynccontextmanager
async def _routed(app: FastAPI, world: World, settings: Settings) -> AsyncIterator[None]:
    wanted = world.settings
    given = wanted.simulator_app_secret or settings.of(AccountSettings).threads_app_secret
    secret = None if given is None else given.get_secret_value()
    tokens, insights, publishing, faults = Tokens(world, secret), Insights(world), Publishing(world), Faults(world)
    webhooks = Webhooks(world, faults, secret or DEFAULT_SECRET, _subscription(wanted))
    calls = Calls(world, tokens, faults, insights, app.state.ending)
    control = ControlRoutes(world, tokens, publishing, insights, faults=faults, webhooks=webhooks)
    routes = GraphRoutes(calls, publishing, Media(world, insights), webhooks)
    for router in (control.router(), routes.router()):  # those of one part last: they take any name
        app.router.routes.extend(router.routes)
    async with webhooks.running():
        yield


def _subscription(settings: SimulatorSettings) -> Subscription | None:
    if settings.simulator_webhook_url is None:
        return None
    token = settings.simulator_webhook_verify_token
    return Subscription(settings.simulator_webhook_url, None if token is None else token.get_secret_value())


async def _unknown_path(request: Request, _: Exception) -> Response:
    error = GraphError(f"Unknown path components: {request.url.path}", 2500)
    return answered(error.body(), error.status)
