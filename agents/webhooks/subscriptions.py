"""Subscriptions: who is told of what. The compacted topic webhooks.subscriptions is what counts."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime

from agents.webhooks.addresses import AddressRefused, allows_private, checked_url
from agents.webhooks.events import NAMES
from agents.webhooks.settings import WebhookSettings
from agents.webhooks.signing import signing_key
from schemas.catalogue import topic_named
from schemas.records import WebhookSubscription
from schemas.registries.registry import SchemaRegistry
from streams.engine.stage import Output
from streams.errors import ThreadsError
from streams.identity import derived_id
from streams.kafka.cluster import Cluster
from streams.kafka.producer import EventProducer
from streams.kafka.tailed_table import Tail, TailedTable
from streams.kafka.topic_tail import WHOLE, TopicTail
from streams.settings import Settings
from streams.wall_clock import utc_now

TOPIC = topic_named("webhooks.subscriptions")
PARTITION = 0  # its only one
ALL_TENANTS = "*"  # the tenant of those who run the platform: they are told of everything


class SubscriptionError(ThreadsError):
    """A subscription can't be made as asked, or there is none of that id; nothing was changed."""


class Subscriptions(TailedTable[WebhookSubscription]):
    """What a process knows of the subscriptions."""

    def __init__(self, tail: Tail[WebhookSubscription], monotonic: Callable[[], float] = time.monotonic) -> None:
        super().__init__(tail, monotonic)
        self._known: dict[str, WebhookSubscription] = {}

    def put(self, record: WebhookSubscription) -> None:
        """Take over a subscription, also one that is only on its way to the topic."""
        self._known[record.subscription_id] = record

    def drop(self, key: bytes) -> None:
        """Forget a subscription that was removed."""
        self._known.pop(key.decode(errors="replace"), None)

    def find(self, subscription_id: str) -> WebhookSubscription | None:
        """Return a subscription; None where there is none, or no more."""
        return self._known.get(subscription_id)

    def of(self, tenant: str | None) -> list[WebhookSubscription]:
        """Return the subscriptions of a tenant, or of all, the oldest first."""
        found = [each for each in self._known.values() if tenant in (None, each.tenant)]
        return sorted(found, key=lambda each: (each.created_at, each.subscription_id))

    def wanting(self, event_type: str) -> list[WebhookSubscription]:
        """Return the active subscriptions of any tenant that want a kind of event."""
        return [each for each in self._known.values() if each.active and event_type in each.event_types]


def subscriptions_of(cluster: Cluster, registry: SchemaRegistry) -> Subscriptions:
    """Return the subscriptions of the real topic; nothing is connected yet."""
    return Subscriptions(TopicTail(cluster, registry, {TOPIC: WHOLE}, WebhookSubscription))


def new_subscription(
    settings: Settings, url: str, event_types: Sequence[str], *, tenant: str, now: datetime, subscription_id: str = ""
) -> WebhookSubscription:
    """Return a subscription, not yet on its topic; its secret is `signing_key(settings).secret(its id)`.

    Raises:
        SubscriptionError: the url or a kind of event is not usable.
    """
    unknown = sorted(set(event_types) - set(NAMES))
    if unknown or not event_types:
        got = ", ".join(unknown) or "none"
        raise SubscriptionError(f"expected kinds of events out of {', '.join(NAMES)}, got {got}")
    try:
        checked_url(url, allow_private=allows_private(settings))
    except AddressRefused as refused:
        raise SubscriptionError(str(refused)) from refused
    identity = subscription_id or f"whk_{secrets.token_hex(8)}"
    return WebhookSubscription(
        event_id=derived_id(identity, now.isoformat()),
        occurred_at=now,
        subscription_id=identity,
        tenant=tenant,
        url=url,
        event_types=tuple(dict.fromkeys(event_types)),
        created_at=now,
        key_id=signing_key(settings).key_id,
    )


def stopped(subscription: WebhookSubscription, why: str, now: datetime) -> WebhookSubscription:
    """Return a subscription that is not active any more."""
    event_id = derived_id(subscription.subscription_id, "stopped", now.isoformat())
    return replace(subscription, event_id=event_id, occurred_at=now, active=False, stopped_because=why)


async def read_subscriptions(settings: Settings) -> Subscriptions:
    """Return the subscriptions as they are now.

    Raises:
        Unavailable: Kafka does not answer.
        SettingsError: there is no Kafka.
    """
    cluster = Cluster.of(settings)
    return await subscriptions_of(cluster, cluster.open_registry()).read_once()


def check_room(settings: Settings, subscriptions: Subscriptions, tenant: str) -> None:
    """Check that a tenant may have one more.

    Raises:
        SubscriptionError: it has as many as it may.
    """
    most, there = settings.of(WebhookSettings).webhooks_subscriptions, len(subscriptions.of(tenant))
    if there >= most:
        raise SubscriptionError(
            f"tenant {tenant!r} has {there} webhooks of {most}; remove one, or raise THREADS_WEBHOOKS_SUBSCRIPTIONS"
        )


async def add_subscription(
    settings: Settings, url: str, event_types: Sequence[str], tenant: str
) -> WebhookSubscription:
    """Make a subscription and wait for the acknowledgement.

    Raises:
        SubscriptionError: it is not usable, or the tenant has too many.
        Unavailable: Kafka does not answer.
        SettingsError: there is no Kafka.
    """
    made = new_subscription(settings, url, event_types, tenant=tenant, now=utc_now())
    check_room(settings, await read_subscriptions(settings), tenant)
    async with _producer(settings) as producer:
        await producer.append_all([Output(TOPIC.name, made)])
    return made


async def remove_subscription(settings: Settings, subscription_id: str) -> None:
    """Append the tombstone of a subscription; what waits for it is dropped.

    Raises:
        SubscriptionError: there is none of that id.
        Unavailable: Kafka does not answer.
        SettingsError: there is no Kafka.
    """
    require(await read_subscriptions(settings), subscription_id)
    async with _producer(settings) as producer:
        await producer.append_raw(TOPIC.name, PARTITION, [(subscription_id.encode(), None)])


def require(subscriptions: Subscriptions, subscription_id: str) -> WebhookSubscription:
    """Return a subscription.

    Raises:
        SubscriptionError: there is none of that id.
    """
    found = subscriptions.find(subscription_id)
    if found is None:
        raise SubscriptionError(f"There is no webhook {subscription_id!r}; see `threads-agent webhooks list`")
    return found


def _producer(settings: Settings) -> EventProducer:
    cluster = Cluster.of(settings)
    return EventProducer(cluster, cluster.open_registry())
