"""What all routes of a gateway share, opened together and closed in turn."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Annotated

from cachetools import FIFOCache
from fastapi import Depends
from starlette.requests import Request

from agents.gateway.appending import GroupAppender
from agents.gateway.audit import AuditLog
from agents.gateway.auth.caller import Caller
from agents.gateway.auth.first_token import ensure_first_token
from agents.gateway.auth.jwt_check import jwt_check_of
from agents.gateway.auth.sign_in import SignIn
from agents.gateway.auth.token_store import REFRESH_INTERVAL_S, TokenStore
from agents.gateway.database import Database
from agents.gateway.idempotency import IdempotencyKeys
from agents.gateway.live.opening import Live, live_topics
from agents.gateway.metrics import RequestMetrics
from agents.gateway.rates import Rates
from agents.gateway.seen import BudgetsSeen, PersonasSeen
from agents.gateway.settings import GatewaySettings
from agents.personas.persona_topic import persona_directory
from agents.webhooks.subscriptions import Subscriptions, subscriptions_of
from schemas.codec.several import FrameReader
from schemas.records import DraftReviewed, PersonaRequest
from schemas.registries.registry import SchemaRegistry
from streams.kafka.cluster import Cluster
from streams.kafka.producer import EventProducer
from streams.settings import Settings

MOST_LATELY = 20_000  # of each kind


@dataclass(frozen=True, slots=True)
class Gateway:
    """What routes work with. `settings` wait at most `gateway_timeout_s` for Kafka.

    `requests_lately` and `reviews_lately` are what this gateway appended and PostgreSQL may not have yet, the latter by
    draft.
    """

    settings: Settings
    cluster: Cluster
    registry: SchemaRegistry
    producer: EventProducer
    appender: GroupAppender
    personas: PersonasSeen
    tokens: TokenStore
    sign_in: SignIn
    keys: IdempotencyKeys
    audit: AuditLog
    database: Database
    live: Live
    metrics: RequestMetrics
    rates: Rates
    budgets: BudgetsSeen
    frames: FrameReader
    requests_lately: FIFOCache[str, PersonaRequest]
    reviews_lately: FIFOCache[str, DraftReviewed]
    webhooks: Subscriptions


@contextlib.asynccontextmanager
async def opened(settings: Settings, metrics: RequestMetrics) -> AsyncIterator[Gateway]:
    """Connect to what a gateway needs, while the context lasts.

    Raises:
        Unavailable: Kafka does not answer.
        SettingsError: there is no Kafka, or a setting or the token's file is wrong.
    """
    wanted = settings.of(GatewaySettings)
    wait_s, rates, jwts = wanted.gateway_timeout_s, Rates(wanted), jwt_check_of(wanted)
    bounded = settings.model_copy(update={"io_timeout_s": min(settings.io_timeout_s, wait_s)})
    cluster = Cluster.of(bounded)
    registry = cluster.open_registry()
    producer = EventProducer(cluster, registry)
    appender = GroupAppender(producer, wait_s)
    personas = PersonasSeen(persona_directory(cluster, registry))
    tokens, keys = TokenStore(cluster, registry, producer), IdempotencyKeys(cluster, registry)
    async with contextlib.AsyncExitStack() as stack:
        await stack.enter_async_context(producer)
        await producer.start()
        stack.push_async_callback(appender.close)
        stack.push_async_callback(keys.close)
        budgets = BudgetsSeen(cluster, registry, personas)
        stack.push_async_callback(budgets.close)
        await keys.read()
        await tokens.uses.refresh()
        await stack.enter_async_context(tokens.kept_up(REFRESH_INTERVAL_S))
        await stack.enter_async_context(personas.directory.kept_up(REFRESH_INTERVAL_S))
        if settings.kafka is None:  # the embedded stack, whose owner is its admin
            await ensure_first_token(settings.home, tokens)
        webhooks = subscriptions_of(cluster, registry)
        stack.push_async_callback(webhooks.close)
        audit = AuditLog(appender)
        stack.push_async_callback(audit.close)
        database = await stack.enter_async_context(Database(bounded))
        live = await stack.enter_async_context(live_topics(cluster, registry))
        metrics.tell_feeds(lambda: live.hub.listeners)
        yield Gateway(
            settings=bounded,
            cluster=cluster,
            registry=registry,
            producer=producer,
            appender=appender,
            personas=personas,
            tokens=tokens,
            sign_in=SignIn(tokens, jwts, rates),
            keys=keys,
            audit=audit,
            database=database,
            live=live,
            metrics=metrics,
            rates=rates,
            budgets=budgets,
            frames=FrameReader(registry),
            requests_lately=FIFOCache(MOST_LATELY),
            reviews_lately=FIFOCache(MOST_LATELY),
            webhooks=webhooks,
        )


async def _gateway(request: Request) -> Gateway:
    found: Gateway = request.app.state.gateway
    return found


async def _caller(request: Request) -> Caller:
    found: Caller = request.scope["state"]["caller"]
    return found


def shared(request: Request) -> tuple[Gateway, Caller]:
    """Return what all routes share and who asks, for routes that are asked often: dependencies take their time."""
    return request.app.state.gateway, request.scope["state"]["caller"]


TheGateway = Annotated[Gateway, Depends(_gateway)]
"""Parameter of a route: what all routes share."""

TheCaller = Annotated[Caller, Depends(_caller)]
"""Parameter of a route that is not public: who asks."""
