"""The tokens as the command line has them: straight on their topic, whether a gateway runs or not."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from datetime import datetime, timedelta

from agents.gateway.auth.caller import ALL_TENANTS, Caller, RoleName
from agents.gateway.auth.token_store import TokenStore
from agents.gateway.auth.tokens import ending, made_token, new_secret, revoked, rotated
from schemas.records import AccessToken
from streams.kafka.cluster import Cluster
from streams.kafka.producer import EventProducer
from streams.settings import Settings

OPERATOR = Caller("command line", "admin", ALL_TENANTS)
"""Who has the broker has all that is on it."""


@contextlib.asynccontextmanager
async def token_store(settings: Settings) -> AsyncIterator[TokenStore]:
    """Open the tokens that are there.

    Raises:
        Unavailable: Kafka does not answer.
        SettingsError: there is no Kafka.
    """
    cluster = await Cluster.reached(settings)
    registry = cluster.open_registry()
    async with EventProducer(cluster, registry) as producer:
        store = TokenStore(cluster, registry, producer)
        try:
            await store.refresh()
            yield store
        finally:
            await store.close()


async def create(
    settings: Settings,
    now: datetime,
    *,
    name: str,
    role: RoleName,
    tenant: str,
    scopes: tuple[str, ...],
    lifetime: timedelta | None,
) -> tuple[AccessToken, str]:
    """Make a token, and return it with its secret."""
    secret = new_secret()
    token = made_token(
        secret,
        now,
        name=name,
        role=role,
        tenant=tenant,
        created_by=OPERATOR.subject,
        scopes=scopes,
        expires_at=None if lifetime is None else now + lifetime,
    )
    async with token_store(settings) as store:
        await store.write(token)
    return token, secret


async def listed(settings: Settings) -> list[tuple[AccessToken, datetime | None]]:
    """Return all service tokens, oldest first, each with its last use."""
    async with token_store(settings) as store:
        await store.uses.refresh()
        return [(each, store.uses.last(each.token_id)) for each in store.book.seen_by(OPERATOR)]


async def rotate(settings: Settings, now: datetime, token_id: str, overlap: timedelta) -> tuple[AccessToken, str]:
    """Replace a token by one that is like it, and return that with its secret; the old one ends after the overlap.

    Raises:
        Refused: there is no such token.
    """
    secret = new_secret()
    async with token_store(settings) as store:
        old = store.book.require(token_id, OPERATOR)
        new = rotated(old, secret, now, OPERATOR.subject)
        await store.write(new)
        await store.write(ending(old, now, overlap))
    return new, secret


async def revoke(settings: Settings, now: datetime, token_ids: tuple[str, ...]) -> None:
    """Revoke tokens, and the sessions made with them.

    Raises:
        Refused: one of them is not there; none was revoked.
    """
    async with token_store(settings) as store:
        for token in [store.book.require(each, OPERATOR) for each in token_ids]:
            await store.write(revoked(token, now))
