"""Looking at a subscription: one test delivery made here and now, and the latest attempts that its topic tells of."""

from __future__ import annotations

from agents.webhooks.events import TEST, Event
from agents.webhooks.sender import Answer, Sender
from agents.webhooks.signing import signing_key
from schemas.catalogue import topic_named
from schemas.records import WebhookDelivery, WebhookSubscription
from streams.identity import derived_id
from streams.kafka.cluster import Cluster
from streams.kafka.topic_tail import Beginning, TopicTail
from streams.settings import Settings
from streams.wall_clock import utc_now

REACH = 20_000  # records of a partition that are looked at


async def deliver_test(settings: Settings, subscription: WebhookSubscription) -> Answer:
    """Post one event of the type webhook.test to a subscription, active or not; it is not tried again.

    Raises:
        SettingsError: the key that its secret follows from can't be had.
    """
    now = utc_now()
    told = {"subscription_id": subscription.subscription_id, "event_types": list(subscription.event_types)}
    event = Event(derived_id(TEST, subscription.subscription_id, now.isoformat()), TEST, now, "", told)
    secret = signing_key(settings).secret(subscription.subscription_id)
    sender = Sender(settings, utc_now)
    try:
        return await sender.post(subscription.url, secret, event.event_id, event.body(subscription.tenant).encode())
    finally:
        await sender.close()


async def latest_deliveries(settings: Settings, subscription_id: str, limit: int) -> list[WebhookDelivery]:
    """Return the latest attempts for a subscription, the newest first, of the last `REACH` of its partition.

    Raises:
        Unavailable: Kafka does not answer.
        SettingsError: there is no Kafka.
    """
    topic = topic_named("webhooks.deliveries")
    beginning = Beginning(reach=REACH, per_key=limit)
    cluster = Cluster.of(settings)
    tail = TopicTail(cluster, cluster.open_registry(), {topic: beginning}, WebhookDelivery)
    try:
        told = [each.record for each in (await tail.read_on()).entries]
    finally:
        await tail.close()
    found = [each for each in told if each is not None and each.subscription_id == subscription_id]
    return sorted(found, key=lambda each: each.occurred_at, reverse=True)
