"""The app: routes, errors and documentation put together; what they work with is opened with it."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Mapping
from importlib.metadata import version
from typing import Any

from fastapi import APIRouter, FastAPI
from starlette.middleware.cors import CORSMiddleware

from agents.gateway.access import RULES
from agents.gateway.front import Front
from agents.gateway.mcp.route import McpEndpoint
from agents.gateway.metrics import RequestMetrics
from agents.gateway.problems import Problem, answer_with_problems
from agents.gateway.routes import (
    costs,
    dead_letters,
    drafts,
    engagement,
    health,
    kpis,
    page,
    personas,
    pipeline,
    platforms,
    posts,
    publications,
    requests,
    session,
    stream,
    tokens,
    topics,
    webhooks,
)
from agents.gateway.settings import GatewaySettings, origins_in
from agents.gateway.state import opened
from streams.settings import Settings

ROUTERS: tuple[APIRouter, ...] = (
    requests.ROUTER,
    engagement.ROUTER,
    session.ROUTER,
    topics.ROUTER,
    stream.ROUTER,
    pipeline.ROUTER,
    drafts.ROUTER,
    posts.ROUTER,
    publications.ROUTER,
    kpis.ROUTER,
    costs.ROUTER,
    personas.ROUTER,
    dead_letters.ROUTER,
    page.ROUTER,
    tokens.ROUTER,
    webhooks.ROUTER,
    platforms.ROUTER,
    health.ROUTER,
)
"""In the order in which they are looked through: what is asked often first."""
CORS: Mapping[str, Any] = {
    "allow_methods": ["GET", "POST", "PUT", "DELETE"],
    "allow_headers": ["Authorization", "Content-Type", "Idempotency-Key", "Last-Event-ID"],
    "expose_headers": ["Retry-After", "X-Request-Id"],
    "allow_credentials": False,  # the session is the page's own; others send a token
}
DISTRIBUTION = "threads-agent-stack"
ABOUT = """\
Ask personas for drafts, follow what becomes of them, and read KPIs, costs and topics.

Errors are `application/problem+json` and say what to do. Lists have `items` and `next_cursor`. Moments are ISO 8601 in
UTC, money is in integer micro-dollars (`_micros`).
"""


def make_app(settings: Settings) -> FastAPI:
    """Make the gateway's app; its lifespan opens what it works with, and closes it."""
    metrics = RequestMetrics()

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with opened(settings, metrics) as gateway, mcp.serving():
            app.state.gateway = gateway
            yield

    app = _App(
        title="Threads Agent Stack",
        version=version(DISTRIBUTION),
        description=ABOUT,
        lifespan=lifespan,
        openapi_url="/openapi.json",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,  # a redirect of a write loses its body
    )
    app.state.metrics = metrics
    for each in ROUTERS:
        app.router.routes.extend(each.routes)
    mcp = McpEndpoint(app, settings.of(GatewaySettings).gateway_max_body_bytes)
    app.router.routes.append(mcp.route())
    answer_with_problems(app)
    wanted = settings.of(GatewaySettings)
    origins = origins_in(wanted.gateway_cors_origins)
    if origins:
        app.add_middleware(CORSMiddleware, allow_origins=origins, **CORS)
    app.add_middleware(Front, metrics=metrics, most_bytes=wanted.gateway_max_body_bytes)
    return app


class _App(FastAPI):
    """FastAPI whose documentation also has what FastAPI can't know: problems, and how one signs in."""

    def openapi(self) -> dict[str, Any]:
        """Return the OpenAPI document, made once."""
        if self.openapi_schema is None:
            self.openapi_schema = _documented(super().openapi())
        return self.openapi_schema


def _documented(api: dict[str, Any]) -> dict[str, Any]:
    parts = api.setdefault("components", {})
    parts.setdefault("schemas", {}).update(_problem_schemas())
    parts["securitySchemes"] = {
        "token": {"type": "http", "scheme": "bearer", "description": "A service token or a JWT."},
        "session": {"type": "apiKey", "in": "cookie", "name": "threads_session"},
    }
    for path, operations in api["paths"].items():
        for method, operation in operations.items():
            if not RULES[method.upper(), path].is_public:
                operation["security"] = [{"token": []}, {"session": []}]
    return api


def _problem_schemas() -> dict[str, Any]:
    schema = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    return {**schema.pop("$defs", {}), "Problem": schema}
