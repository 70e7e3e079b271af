"""The webhooks stage: events of several topics -> signed posts to those who subscribed -> webhooks.deliveries."""

from __future__ import annotations

import json
import logging
import random
from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import datetime, timedelta
from typing import ClassVar

from agents.personas.directory import PersonaDirectory
from agents.webhooks.delivery import Patience
from agents.webhooks.events import EVENT_TYPES
from agents.webhooks.metrics import WEBHOOKS_OLDEST, WEBHOOKS_UNDER_WAY, WEBHOOKS_WAITING
from agents.webhooks.partition import DeliveryContext, PartitionDeliveries, Pending
from agents.webhooks.sender import Answer, Sender
from agents.webhooks.settings import WebhookSettings
from agents.webhooks.signing import signing_key
from agents.webhooks.subscriptions import ALL_TENANTS, TOPIC, Subscriptions, stopped
from schemas.records import WebhookSubscription
from streams.engine.batch import TopicPartition
from streams.engine.lanes import Lanes
from streams.engine.readings import Reading
from streams.engine.stage import Effects, LongStage, Output
from streams.errors import Unavailable
from streams.settings import Settings
from streams.wall_clock import utc_now

logger = logging.getLogger(__name__)

LOOK_AT_SUBSCRIPTIONS_EVERY_S = 5.0  # before an attempt; what comes with a batch is always looked up
PUT_OFF = timedelta(seconds=5)


class WebhooksStage(LongStage[PartitionDeliveries]):
    """Tell subscribers of events: at least once, each message under an id of its own, in no promised order.

    Reads: the topics of `EVENT_TYPES`; besides, the subscriptions and the personas in force, for their tenants.
    Writes: webhooks.deliveries, dead.letters for what is given up, webhooks.subscriptions for a receiver that is gone.
    Decides: `verdict_of` what an answer means, `Patience.next_attempt` when it is tried again, `Lanes` what is next.
    State: `delivery.py`, by subscription and message.
    """

    name: ClassVar[str] = "webhooks"
    topics: ClassVar[tuple[str, ...]] = tuple(each.topic for each in EVENT_TYPES)
    stateful: ClassVar[bool] = True

    def __init__(
        self,
        settings: Settings,
        subscriptions: Subscriptions,
        directory: PersonaDirectory,
        *,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        wanted = settings.of(WebhookSettings)
        self._settings = settings
        self._subscriptions = subscriptions
        self._directory = directory
        self._patience = Patience.of(wanted)
        self._clock = clock
        self._random = random.Random()  # noqa: S311 - jitter, not a secret
        self._parts: dict[TopicPartition, PartitionDeliveries] = {}
        self._lanes: Lanes[Pending] = Lanes(self._attempt, clock, at_once=wanted.webhooks_at_once)
        self._context = DeliveryContext(subscriptions, self._tenant_of, self._lanes, wanted, clock)

    async def open(self) -> None:
        self._key = signing_key(self._settings)
        self._sender = Sender(self._settings, self._clock)

    def owner_of(self, key: bytes, value: bytes) -> str:
        """Return the persona of a delivery."""
        del key
        return str(json.loads(value)["persona_id"])

    async def take(self, source: TopicPartition, state: Iterable[tuple[bytes, bytes]]) -> PartitionDeliveries:
        part = PartitionDeliveries(source, state, self._context, self._parts.pop)
        self._parts[source] = part
        return part

    async def catch_up(self) -> None:
        await self._subscriptions.refresh()
        await self._directory.refresh()

    def _tenant_of(self, persona_id: str) -> str:
        """Return whose a persona is; one that is not in force is nobody's but those of ALL_TENANTS."""
        found = self._directory.find(persona_id)
        return found.persona.tenant if found else ALL_TENANTS

    async def room(self) -> None:
        await self._lanes.until_open()

    async def _attempt(self, pending: Pending) -> None:
        """Take a delivery one attempt further."""
        try:
            await self._subscriptions.refresh(max_age_s=LOOK_AT_SUBSCRIPTIONS_EVERY_S)
        except Unavailable as error:
            logger.warning("Webhooks wait; nothing is lost: %s", error)
            self._unless_void(pending, lambda: pending.part.put_off(pending, self._clock() + PUT_OFF))
            return
        subscription = self._subscriptions.find(pending.lane)
        if pending.is_void:
            return
        if subscription is None or not subscription.active:
            pending.part.finish(pending, "dropped", Answer("gone", "its subscription is removed or not active"))
            return
        pending.part.attempted(pending, self._clock())
        answer = await self._answer(subscription, pending)
        self._unless_void(pending, lambda: self._judge(pending, subscription, answer))

    def _unless_void(self, pending: Pending, act: Callable[[], None]) -> None:
        if not pending.is_void:
            act()

    async def _answer(self, subscription: WebhookSubscription, pending: Pending) -> Answer:
        if subscription.key_id != self._key.key_id:
            return Answer(
                "again",
                f"its secret follows from the key {subscription.key_id}, this worker has {self._key.key_id}; give all "
                "the same THREADS_WEBHOOKS_KEY or webhooks.key, or add the webhook again",
            )
        delivery = pending.delivery
        secret = self._key.secret(subscription.subscription_id)
        return await self._sender.post(subscription.url, secret, delivery.webhook_id, delivery.body.encode())

    def _judge(self, pending: Pending, subscription: WebhookSubscription, answer: Answer) -> None:
        """Decide what follows from an answer."""
        part, now = pending.part, self._clock()
        if answer.verdict == "delivered":
            part.finish(pending, "delivered", answer)
            return
        if answer.verdict == "gone":
            off = stopped(subscription, answer.reason, now)
            self._subscriptions.put(off)
            part.emit(Output(TOPIC.name, off))
            part.finish(pending, "dropped", answer)
            return
        at = self._patience.next_attempt(pending.delivery, answer, now, self._random.random())
        if at is None:
            part.give_up(pending, answer)
        else:
            part.try_again(pending, answer, at)

    def idle_flush_due(self, parts: Collection[PartitionDeliveries]) -> bool:
        """Tell whether something came of a delivery."""
        return self._lanes.is_broken or any(part.has_effects for part in parts)

    async def flush(self, parts: Mapping[TopicPartition, PartitionDeliveries]) -> Mapping[TopicPartition, Effects]:
        """Return what came about; what ends the worker is raised when all that came before it is durable."""
        if self._lanes.is_broken and not any(part.has_effects for part in parts.values()):
            self._lanes.check()
        self._context.forget_intervals(self._clock())
        return await super().flush(parts)

    def readings(self) -> Iterable[Reading]:
        """Return what waits and is under way, and how old the oldest is."""
        now, under_way = self._clock(), self._lanes.under_way
        oldest = [at for at in (part.oldest() for part in self._parts.values()) if at is not None]
        yield Reading(WEBHOOKS_WAITING, (), float(self._context.waiting.total() - under_way))
        yield Reading(WEBHOOKS_UNDER_WAY, (), float(under_way))
        yield Reading(WEBHOOKS_OLDEST, (), max(((now - at).total_seconds() for at in oldest), default=0.0))

    async def drain(self, within_s: float) -> bool:
        """Begin no delivery, and take the answers of those under way."""
        await self._lanes.drain(within_s)
        return any(part.has_effects for part in self._parts.values()) and not self._lanes.is_broken

    def resume(self) -> None:
        self._lanes.resume()

    async def close(self) -> None:
        for part in list(self._parts.values()):
            await part.leave()
        await self._lanes.close()
        await self._sender.close()
        await self._subscriptions.close()
        await self._directory.close()
