"""A delivery: one event for one subscription, from its first attempt to its end, as the state keeps it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from pydantic import TypeAdapter

from agents.webhooks.events import Event
from agents.webhooks.sender import Answer
from agents.webhooks.settings import WebhookSettings
from schemas.records import DeadLetter, WebhookDelivery, WebhookOutcome, WebhookSubscription
from streams.engine.batch import TopicPartition
from streams.engine.dead_letters import dead_letter
from streams.engine.retry import Backoff
from streams.engine.stage import Change, Output
from streams.errors import RecordFault
from streams.identity import derived_id

CONSUMER = "webhooks"
MAX_LETTER_BYTES = 64 * 2**10


@dataclass(frozen=True, slots=True)
class Delivery:
    """What is to be posted, how often it was tried, and when it is due; `offset` is where its record stands."""

    subscription_id: str
    tenant: str
    webhook_id: str
    event_type: str
    persona_id: str
    body: str
    offset: int
    begun_at: datetime
    due_at: datetime
    attempts: int = 0
    newest_of: str = ""

    @property
    def key(self) -> str:
        """Return what it is known by in its partition."""
        return f"{self.subscription_id} {self.webhook_id}"

    @property
    def of(self) -> str:
        """Return what only the newest of is wanted; empty where all are."""
        return self.newest_of and f"{self.subscription_id} {self.newest_of}"


_FORM = TypeAdapter(Delivery)


def delivery_of(event: Event, subscription: WebhookSubscription, tenant: str, offset: int, now: datetime) -> Delivery:
    """Return the delivery of an event of a tenant, due at once."""
    return Delivery(
        subscription_id=subscription.subscription_id,
        tenant=subscription.tenant,
        webhook_id=event.event_id,
        event_type=event.type,
        persona_id=event.persona_id,
        body=event.body(tenant),
        offset=offset,
        begun_at=now,
        due_at=now,
        newest_of=event.newest_of,
    )


def kept(delivery: Delivery) -> Change:
    """Return the change of state that keeps a delivery."""
    return delivery.key.encode(), _FORM.dump_json(delivery)


def dropped(key: str) -> Change:
    """Return the change of state that lets go of a delivery."""
    return key.encode(), None


def restored(state: Iterable[tuple[bytes, bytes]]) -> list[Delivery]:
    """Return the deliveries that a state keeps."""
    return [_FORM.validate_json(value) for _, value in state]


@dataclass(frozen=True, slots=True)
class Patience:
    """How often and how long a delivery is tried."""

    attempts: int
    give_up_after: timedelta
    backoff: Backoff

    @classmethod
    def of(cls, wanted: WebhookSettings) -> Patience:
        """Return what the settings say."""
        backoff = Backoff(wanted.webhooks_first_retry_s, wanted.webhooks_longest_retry_s)
        return cls(wanted.webhooks_attempts, timedelta(seconds=wanted.webhooks_give_up_after_s), backoff)

    def next_attempt(self, delivery: Delivery, answer: Answer, now: datetime, draw: float) -> datetime | None:
        """Return when a delivery that failed `delivery.attempts` times is tried again; None where it is given up.

        `draw` is uniform in [0, 1]. A wait that the receiver asked for is kept to, if it ends in time.
        """
        if answer.verdict != "again" or delivery.attempts >= self.attempts:
            return None
        wait_s = self.backoff.delay_s(delivery.attempts, answer.retry_after_s, draw)
        left_s = (delivery.begun_at + self.give_up_after - now).total_seconds()
        return now + timedelta(seconds=wait_s) if wait_s < left_s else None


def told(
    delivery: Delivery, outcome: WebhookOutcome, answer: Answer, now: datetime, next_at: datetime | None = None
) -> Output:
    """Return the record that tells of an attempt."""
    attempt = WebhookDelivery(
        event_id=derived_id(CONSUMER, delivery.key, str(delivery.attempts), outcome),
        occurred_at=now,
        subscription_id=delivery.subscription_id,
        tenant=delivery.tenant,
        webhook_id=delivery.webhook_id,
        event_type=delivery.event_type,
        outcome=outcome,
        attempt=delivery.attempts,
        status=answer.status,
        reason=answer.reason,
        latency_ms=answer.latency_ms,
        next_attempt_at=next_at,
    )
    return Output("webhooks.deliveries", attempt)


@dataclass(frozen=True, slots=True)
class _Posted:
    """A delivery as its dead letter keeps it: the persona is the key, the body the value."""

    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes | None]]


def letter(delivery: Delivery, source: TopicPartition, why: str, now: datetime) -> Output:
    """Return the dead letter of a delivery that is given up."""
    headers = (("webhook-id", delivery.webhook_id.encode()), ("subscription", delivery.subscription_id.encode()))
    posted = _Posted(
        delivery.offset,
        int(delivery.begun_at.timestamp() * 1000),
        delivery.persona_id.encode(),
        delivery.body.encode(),
        headers,
    )
    fault = RecordFault(f"webhook {delivery.subscription_id}: {why}, after {delivery.attempts} attempts")
    output = dead_letter(CONSUMER, source, posted, fault, now=now, max_bytes=MAX_LETTER_BYTES)
    assert isinstance(output.record, DeadLetter)
    return replace(output, record=replace(output.record, event_id=derived_id(CONSUMER, "letter", delivery.key)))
