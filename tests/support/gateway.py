"""A gateway in this process, on servers that run already, and clients that are signed in."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime

import httpx
from fastapi import FastAPI

from agents.gateway.app import make_app
from agents.gateway.auth.caller import RoleName
from agents.gateway.auth.tokens import made_token, new_secret
from agents.gateway.state import Gateway
from agents.personas.persona import DEFAULT_TENANT, Persona
from agents.personas.persona_topic import apply_personas
from schemas.catalogue import topic_named
from schemas.records import GatewayAudit
from streams.kafka.topic_tail import WHOLE, TopicTail
from streams.settings import Settings
from streams.wall_clock import utc_now

BASE_URL = "http://gateway.test"
TIMEOUT_S = 30.0


class GatewayUnderTest:
    """An app whose lifespan runs; its clients talk to it without a socket."""

    def __init__(self, app: FastAPI, settings: Settings, cleanup: AsyncExitStack) -> None:
        self.app = app
        self.settings = settings
        self._cleanup = cleanup

    @property
    def state(self) -> Gateway:
        found: Gateway = self.app.state.gateway
        return found

    async def anonymous(self, **headers: str) -> httpx.AsyncClient:
        """Return a client that shows no token."""
        transport = httpx.ASGITransport(self.app, client=("127.0.0.1", 40_000))
        client = httpx.AsyncClient(transport=transport, base_url=BASE_URL, headers=headers, timeout=TIMEOUT_S)
        return await self._cleanup.enter_async_context(client)

    async def token(self, role: RoleName, tenant: str = DEFAULT_TENANT, scopes: tuple[str, ...] = ()) -> str:
        """Make a service token and return its secret."""
        secret = new_secret()
        await self.state.tokens.write(
            made_token(
                secret,
                utc_now(),
                name=f"{role} of {tenant}",
                role=role,
                tenant=tenant,
                created_by="test",
                scopes=scopes,
            )
        )
        return secret

    async def client(self, role: RoleName, tenant: str = DEFAULT_TENANT) -> httpx.AsyncClient:
        """Return a client that is signed in; tenant `*` sees all."""
        return await self.anonymous(Authorization=f"Bearer {await self.token(role, tenant)}")

    async def audit(self) -> Sequence[GatewayAudit]:
        """Return all of the audit log."""
        state = self.state
        tail = TopicTail(state.cluster, state.registry, {topic_named("gateway.audit"): WHOLE}, GatewayAudit)
        try:
            return await tail.news()
        finally:
            await tail.close()

    async def apply(self, *personas: Persona) -> None:
        """Put personas in force, known to the gateway at once."""
        await put_in_force(self.settings, *personas)
        await self.state.personas.directory.refresh()


async def put_in_force(settings: Settings, *personas: Persona) -> None:
    """Append personas to their topic."""
    await apply_personas(settings, personas, datetime.now(UTC))


@asynccontextmanager
async def running_gateway(settings: Settings) -> AsyncIterator[GatewayUnderTest]:
    """Run a gateway's app while the context lasts."""
    app = make_app(settings)
    async with AsyncExitStack() as cleanup, app.router.lifespan_context(app):
        yield GatewayUnderTest(app, settings, cleanup)


def persona_named(persona_id: str, tenant: str = DEFAULT_TENANT, **changes: object) -> Persona:
    """Return a plain persona of a tenant."""
    fields: dict[str, object] = {
        "persona_id": persona_id,
        "tenant": tenant,
        "name": persona_id.title(),
        "voice": "dry",
        "audience": "people who read",
        "topics": ["invoices"],
        "languages": ["en"],
        "hook_styles": ["question"],
        "examples": [{"brief": "late invoices", "hook": "Paid late again?", "body": "Send it on the day."}],
    }
    return Persona.model_validate({**fields, **changes})
