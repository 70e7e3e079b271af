"""The deliveries of one partition's records: what waits, what of it the state keeps, and what came of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from agents.deduplication.reasons import without_strangers
from agents.webhooks.delivery import Delivery, delivery_of, dropped, kept, letter, restored, told
from agents.webhooks.events import BY_TOPIC, Event
from agents.webhooks.sender import Answer
from agents.webhooks.settings import WebhookSettings
from agents.webhooks.subscriptions import ALL_TENANTS, Subscriptions
from schemas.catalogue import topic_named
from schemas.records import Record, WebhookOutcome, WebhookSubscription
from streams.engine.batch import Batch, ColumnBatch, TopicPartition
from streams.engine.lanes import Lanes
from streams.engine.stage import Effects, LongPart, Output, Rejection


@dataclass(slots=True, eq=False)
class Pending:
    """A delivery that is not at its end; void where it is not wanted any more."""

    part: PartitionDeliveries
    delivery: Delivery
    is_void: bool = False

    @property
    def lane(self) -> str:
        return self.delivery.subscription_id

    @property
    def due_at(self) -> datetime:
        return self.delivery.due_at


@dataclass(slots=True)
class DeliveryContext:
    """What all partitions share; `begun_at` says when the newest of something was sent last."""

    subscriptions: Subscriptions
    tenant_of: Callable[[str], str]
    lanes: Lanes[Pending]
    wanted: WebhookSettings
    clock: Callable[[], datetime]
    waiting: Counter[str] = field(default_factory=Counter)
    begun_at: dict[str, datetime] = field(default_factory=dict)

    def due_at(self, of: str, now: datetime) -> datetime:
        """Return when the newest of something may be sent again."""
        interval = timedelta(seconds=self.wanted.webhooks_kpi_interval_s)
        return max(self.begun_at.get(of, now - interval) + interval, now)

    def forget_intervals(self, now: datetime) -> None:
        """Forget what holds up nothing any more."""
        self.begun_at = {of: at for of, at in self.begun_at.items() if self.due_at(of, now) > now}


class PartitionDeliveries(LongPart[Batch]):
    """The deliveries of one partition under way, and their effects since the last flush.

    No offset waits for a delivery: what is not at its end at a flush is kept in the state. It is let go of one flush
    after its end was told, so that a crash in between tells it again and loses nothing.
    """

    def __init__(
        self,
        source: TopicPartition,
        state: Iterable[tuple[bytes, bytes]],
        context: DeliveryContext,
        on_leave: Callable[[TopicPartition], object],
    ) -> None:
        self.source = source
        self._context = context
        self._on_leave = on_leave
        self._pending: dict[str, Pending] = {}
        self._newest: dict[str, Pending] = {}  # that wait, by what they are the newest of
        self._changed: set[str] = set()
        self._ended: set[str] = set()
        self._told: set[str] = set()  # ended, and emitted by the flush before
        self._kept: set[str] = set()
        self._outputs: list[Output] = []
        for delivery in restored(state):
            self._kept.add(delivery.key)
            self._put(Pending(self, delivery))

    async def add(self, batch: Batch) -> Sequence[Rejection]:
        """Begin the deliveries of what subscriptions want; refuses nothing."""
        kind = BY_TOPIC[batch.source.topic]
        wanting = self._context.subscriptions.wanting(kind.name)
        if wanting:
            for offset, record in records_of(batch):
                event = kind.event(kind.name, record)
                if event is not None:
                    self._take(event, wanting, offset)
        return ()

    def _take(self, event: Event, wanting: Sequence[WebhookSubscription], offset: int) -> None:
        tenant, now = self._context.tenant_of(event.persona_id), self._context.clock()
        for each in wanting:
            if each.tenant in (tenant, ALL_TENANTS) and event.occurred_at >= each.created_at:
                self._begin(self._told_to(each, delivery_of(event, each, tenant, offset, now)), now)

    def _told_to(self, subscription: WebhookSubscription, delivery: Delivery) -> Delivery:
        """Return a delivery that names no persona of another tenant than its receiver's."""
        whose = self._context.tenant_of
        if subscription.tenant == ALL_TENANTS:
            return delivery
        body = without_strangers(delivery.body, lambda persona_id: whose(persona_id) == subscription.tenant)
        return replace(delivery, body=body)

    def _begin(self, delivery: Delivery, now: datetime) -> None:
        """Let a delivery wait for its turn; one that came before is under way already."""
        if delivery.key in self._pending:
            return
        older = self._newest.get(delivery.of)
        if older is not None:
            self._end(older)
            delivery = replace(delivery, due_at=older.delivery.due_at, attempts=older.delivery.attempts)
        elif delivery.of:
            delivery = replace(delivery, due_at=self._context.due_at(delivery.of, now))
        pending = Pending(self, delivery)
        self._ended.discard(delivery.key)
        self._told.discard(delivery.key)
        most = self._context.wanted.webhooks_waiting
        if self._context.waiting[delivery.subscription_id] >= most:
            self.give_up(pending, Answer("refused", f"{most:,} deliveries wait already"))
            return
        self._changed.add(delivery.key)
        self._put(pending)

    def _put(self, pending: Pending) -> None:
        delivery = pending.delivery
        if delivery.key not in self._pending:
            self._context.waiting[delivery.subscription_id] += 1
        self._pending[delivery.key] = pending
        if delivery.of:
            self._newest[delivery.of] = pending
        self._context.lanes.put(pending)

    def _end(self, pending: Pending) -> None:
        """Let go of a delivery; its entry of the state goes later."""
        key, of = pending.delivery.key, pending.delivery.of
        pending.is_void = True
        if self._pending.pop(key, None) is not None:
            self._context.waiting[pending.lane] -= 1
        if self._newest.get(of) is pending:
            del self._newest[of]
        self._changed.discard(key)
        self._ended.add(key)

    # attempts

    def attempted(self, pending: Pending, now: datetime) -> None:
        """Note that an attempt begins: what comes of the same is a delivery of its own."""
        delivery = pending.delivery
        pending.delivery = replace(delivery, attempts=delivery.attempts + 1)
        if delivery.of:
            self._context.begun_at[delivery.of] = now
            if self._newest.get(delivery.of) is pending:
                del self._newest[delivery.of]

    def finish(self, pending: Pending, outcome: WebhookOutcome, answer: Answer) -> None:
        """Tell of the end of a delivery."""
        self._outputs.append(told(pending.delivery, outcome, answer, self._context.clock()))
        self._end(pending)

    def give_up(self, pending: Pending, answer: Answer) -> None:
        """End a delivery as a dead letter."""
        self._outputs.append(letter(pending.delivery, self.source, answer.reason, self._context.clock()))
        self.finish(pending, "given_up", answer)

    def try_again(self, pending: Pending, answer: Answer, at: datetime) -> None:
        """Tell of a failed attempt and wait for the next one, unless something newer is there to be sent instead."""
        self._outputs.append(told(pending.delivery, "retrying", answer, self._context.clock(), at))
        if pending.delivery.of in self._newest:
            self._end(pending)
        else:
            self.put_off(pending, at)

    def put_off(self, pending: Pending, at: datetime) -> None:
        """Wait for another attempt."""
        pending.delivery = replace(pending.delivery, due_at=at)
        self._changed.add(pending.delivery.key)
        self._put(pending)

    def emit(self, output: Output) -> None:
        """Append a record with the next checkpoint."""
        self._outputs.append(output)

    # checkpoints

    @property
    def has_effects(self) -> bool:
        """Tell whether there is something to make durable."""
        return bool(self._outputs or self._changed or self._told or self._ended & self._kept)

    def flush(self) -> Effects:
        changes = [dropped(key) for key in sorted(self._told)]
        self._kept -= self._told
        self._told, self._ended = self._ended & self._kept, set()
        changes += [kept(self._pending[key].delivery) for key in sorted(self._changed)]
        self._kept |= self._changed
        self._changed = set()
        outputs, self._outputs = self._outputs, []
        return Effects(changes=changes, outputs=[*outputs])

    def unfinished(self) -> int | None:
        return None

    def oldest(self) -> datetime | None:
        """Return when the delivery was begun that has been tried longest; None where none is."""
        return min((each.delivery.begun_at for each in self._pending.values()), default=None)

    async def leave(self) -> None:
        """Give the partition up: its next owner delivers what is kept, and reads the rest again."""
        for pending in list(self._pending.values()):
            self._end(pending)
        self._on_leave(self.source)


def records_of(batch: Batch) -> Iterator[tuple[int, Record]]:
    """Yield the records of a batch with their offsets, those of columns too."""
    if not isinstance(batch, ColumnBatch):
        yield from ((row.offset, row.record) for row in batch.rows)
        return
    kind = topic_named(batch.source.topic).record
    for row in batch.frame.iter_rows(named=True):
        offset = row.pop("offset")
        row["occurred_at"] = datetime.fromtimestamp(row["occurred_at"] / 1000, UTC)
        yield offset, kind(**row)
