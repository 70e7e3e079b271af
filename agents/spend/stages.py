"""The stages of spend: cost.events -> spend.totals, and with the limits of personas -> alerts, each once."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import ClassVar
from weakref import WeakSet

from agents.costs.budget import (
    EVERYONE,
    AlertKey,
    BudgetLimits,
    BudgetPolicy,
    BudgetUse,
    alerts_due,
    key_of,
    periods_at,
    resumes_due,
)
from agents.personas.directory import PersonaDirectory
from agents.spend.budgets import limits_of_persona
from agents.spend.metrics import BUDGET_USED
from agents.spend.spend_book import DAY_MS, DayKey, PartitionSpend, SpendBook, first_day_needed, spend_total
from schemas.records import BudgetAlert, SpendTotal
from streams.engine.batch import ColumnBatch, RowBatch, TopicPartition
from streams.engine.readings import Reading
from streams.engine.stage import Effects, Output, Part, Rejection, Stage
from streams.errors import RecordFault
from streams.json_records import parse_record, render_record
from streams.wall_clock import utc_now

_DUE, _TOLD = b"0", b"1"
_TOTAL, _ALERT = b"t", b"a"  # first byte of a state key
ALERTS_KEPT = timedelta(days=2)  # after the end of their period
LimitsOf = Callable[[str], BudgetLimits]
"""Returns the limits of a persona, or of EVERYONE."""
LOOK_EVERY = timedelta(seconds=30)  # also without new totals: periods end, and personas get other limits


class AlertOutbox:
    """Alerts by what they tell of.

    An alert is due when it is added and told once a later checkpoint has come: then the one that sent it is durable. A
    crash in between sends it again as it was, with the same event_id.
    """

    def __init__(self) -> None:
        self._alerts: dict[AlertKey, BudgetAlert] = {}
        self._due: dict[AlertKey, BudgetAlert] = {}
        self._sent: dict[AlertKey, BudgetAlert] = {}

    @property
    def alerts(self) -> dict[AlertKey, BudgetAlert]:
        """Return the alerts that were ever added, and not forgotten."""
        return self._alerts

    @property
    def has_work(self) -> bool:
        """Tell whether a checkpoint has something to send or to note as told."""
        return bool(self._due or self._sent)

    def restore(self, value: bytes) -> None:
        """Take over an alert as `take_changes` encoded it."""
        alert = parse_record(BudgetAlert, value[1:].decode())
        assert isinstance(alert, BudgetAlert)
        self._alerts[key_of(alert)] = alert
        if value[:1] == _DUE:
            self._due[key_of(alert)] = alert

    def add(self, alerts: Iterable[BudgetAlert]) -> None:
        """Add alerts that are to be told."""
        for alert in alerts:
            self._alerts[key_of(alert)] = self._due[key_of(alert)] = alert

    def take_due(self) -> list[BudgetAlert]:
        """Return the alerts to send with this checkpoint; `take_changes` has been called before."""
        self._sent, self._due = self._due, {}
        return list(self._sent.values())

    def take_changes(self) -> list[tuple[bytes, bytes]]:
        """Return the state of alerts that are due now, and of those that an earlier checkpoint has told."""
        told, self._sent = self._sent, {}
        return [_encoded(alert, _TOLD) for alert in told.values()] + [
            _encoded(alert, _DUE) for alert in self._due.values()
        ]

    def forget_before(self, moment: datetime) -> list[bytes]:
        """Forget alerts whose period ended before a moment, and return their state keys."""
        gone = [key for key in self._alerts if key.period.end < moment and key not in self._due | self._sent]
        for key in gone:
            del self._alerts[key]
        return [key.event_id.encode() for key in gone]


def _encoded(alert: BudgetAlert, mark: bytes) -> tuple[bytes, bytes]:
    return alert.event_id.encode(), mark + json.dumps(render_record(alert), ensure_ascii=False).encode()


class BudgetWatch:
    """Take totals over, and find what is to be told of whom; `take_state` gives what has changed of it all."""

    def __init__(self, policy: BudgetPolicy, state: Iterable[tuple[bytes, bytes]] = ()) -> None:
        self._policy = policy
        self._book = SpendBook()
        self._outbox = AlertOutbox()
        self._changed: dict[str, SpendTotal] = {}
        for key, value in state:
            if key.startswith(_ALERT):
                self._outbox.restore(value)
            else:
                total = parse_record(SpendTotal, value.decode())
                assert isinstance(total, SpendTotal)
                self._book.apply(total)

    @property
    def has_work(self) -> bool:
        """Tell whether there are alerts to send or to note as told."""
        return self._outbox.has_work

    def apply(self, total: SpendTotal, now: datetime) -> None:
        """Take over a total, unless its day is of no more use; raises RecordFault as the book does."""
        if total.day >= first_day_needed(now) and self._book.apply(total):
            self._changed[total.total_id] = total

    def look(self, limits_of: LimitsOf, now: datetime, *, at_all: bool) -> None:
        """Find the alerts that are due now, for the hour and the day.

        Looks at those whose spend has changed since the last time, or `at_all`: limits and periods change too.
        """
        spenders = self._book.personas() if at_all else sorted({each.persona_id for each in self._changed.values()})
        for persona_id in (EVERYONE, *spenders):
            for use in self._uses_of(persona_id, limits_of(persona_id), now):
                before = self._book.hours_before(persona_id, use.period)
                self._outbox.add(alerts_due(use, before, self._policy, self._outbox.alerts, now))
        self._outbox.add(list(resumes_due(self._outbox.alerts.values(), now)))

    def uses(self, limits_of: LimitsOf, now: datetime) -> Iterator[BudgetUse]:
        """Yield what is spent of the budgets of the hour and the day of now, whether they have a limit or not."""
        for persona_id in (EVERYONE, *self._book.personas()):
            yield from self._uses_of(persona_id, limits_of(persona_id), now)

    def _uses_of(self, persona_id: str, limits: BudgetLimits, now: datetime) -> Iterator[BudgetUse]:
        for period in periods_at(now):
            spent = self._book.spent_micros(persona_id, period)
            yield BudgetUse(persona_id, period, spent, limits.of_period(period.kind))

    def take_state(self, now: datetime) -> Iterator[tuple[bytes, bytes | None]]:
        """Yield the state that has changed since the last time, deletions (None) first; then `take_due` follows."""
        for total_id in self._book.forget_before(first_day_needed(now)):
            self._changed.pop(total_id, None)
            yield _TOTAL + total_id.encode(), None
        for key in self._outbox.forget_before(now - ALERTS_KEPT):
            yield _ALERT + key, None
        changed, self._changed = self._changed, {}
        for total in changed.values():
            yield _TOTAL + total.total_id.encode(), json.dumps(render_record(total), ensure_ascii=False).encode()
        for key, value in self._outbox.take_changes():
            yield _ALERT + key, value

    def take_due(self) -> list[BudgetAlert]:
        """Return the alerts to send with the state just taken."""
        return self._outbox.take_due()


class SpendPart(Part[ColumnBatch]):
    """What was spent by the calls of a partition; days that are not kept are deleted from the state once a day."""

    def __init__(self, partition: int, spend: PartitionSpend, clock: Callable[[], datetime]) -> None:
        self._partition = partition
        self._spend = spend
        self._clock = clock
        self._swept_day = -1

    async def add(self, batch: ColumnBatch) -> Sequence[Rejection]:
        self._spend.add(batch.frame, _ms(self._clock()))
        return ()

    def flush(self) -> Effects:
        """Return the sums of the persona days that calls have changed."""
        effects, now = Effects(), self._clock()
        if self._swept_day != (today := _ms(now) // DAY_MS):
            self._swept_day = today
            effects.changes += [(key.encoded(), None) for key in self._spend.expire(_ms(now))]
        for key, spend in self._spend.take_touched():
            effects.changes.append((key.encoded(), spend.encoded()))
            effects.outputs.append(Output("spend.totals", spend_total(key, spend, self._partition, now)))
        return effects


class SpendStage(Stage[SpendPart]):
    """Sum the cost of model calls, each once, and tell the sums of a persona's day when calls have changed them.

    Reads cost.events, writes spend.totals; spend_book.py decides. Sums are absolute, so the newest total of
    each key is all a reader needs.
    """

    name: ClassVar[str] = "spend"
    topics: ClassVar[tuple[str, ...]] = ("cost.events",)
    stateful: ClassVar[bool] = True
    once_per_event: ClassVar[bool] = True

    def __init__(self, clock: Callable[[], datetime] = utc_now) -> None:
        self._clock = clock

    def owner_of(self, key: bytes, value: bytes) -> str:
        """Return whose day an entry is."""
        del value
        return DayKey.decoded(key).persona_id

    async def take(self, source: TopicPartition, state: Iterable[tuple[bytes, bytes]]) -> SpendPart:
        return SpendPart(source.partition, PartitionSpend(state), self._clock)


def _ms(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)


class BudgetsPart(Part[RowBatch[SpendTotal]]):
    """The budgets that the totals of a partition tell of."""

    def __init__(self, watch: BudgetWatch, clock: Callable[[], datetime]) -> None:
        self.watch = watch
        self._clock = clock

    async def add(self, batch: RowBatch[SpendTotal]) -> Sequence[Rejection]:
        now, rejections = self._clock(), []
        for row in batch.rows:
            try:
                self.watch.apply(row.record, now)
            except RecordFault as fault:
                rejections.append(Rejection(row.offset, fault))
        return rejections

    def flush(self) -> Effects:
        return Effects(
            changes=list(self.watch.take_state(self._clock())),
            outputs=[Output("budget.alerts", alert) for alert in self.watch.take_due()],
        )


class BudgetsStage(Stage[BudgetsPart]):
    """Tell when spending reaches a level of a budget, when a paused one is free again, and when an hour is a spike.

    Reads spend.totals, writes budget.alerts; agents/costs/budget.py decides. What is looked at are the hour and the day
    of now: a backfill of older costs alarms nobody.
    """

    name: ClassVar[str] = "budgets"
    topics: ClassVar[tuple[str, ...]] = ("spend.totals",)
    stateful: ClassVar[bool] = True

    def __init__(
        self,
        directory: PersonaDirectory,
        policy: BudgetPolicy,
        limits: BudgetLimits,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        """Watch the budgets of the directory's personas, and `limits` for all of them together."""
        self._directory = directory
        self._policy = policy
        self._limits = limits
        self._clock = clock
        self._looked_at: datetime | None = None
        self._watches: WeakSet[BudgetWatch] = WeakSet()  # of the parts there are

    def owner_of(self, key: bytes, value: bytes) -> str:
        """Return whose total or alert an entry is."""
        told = value[1:] if key.startswith(_ALERT) else value
        return str(json.loads(told)["persona_id"])

    async def take(self, source: TopicPartition, state: Iterable[tuple[bytes, bytes]]) -> BudgetsPart:
        del source
        self._looked_at = None
        watch = BudgetWatch(self._policy, state)
        self._watches.add(watch)
        return BudgetsPart(watch, self._clock)

    def idle_flush_due(self, parts: Collection[BudgetsPart]) -> bool:
        unsent = any(part.watch.has_work for part in parts)
        return bool(parts) and (unsent or self._look_due())

    def _look_due(self) -> bool:
        looked_at = self._looked_at
        return looked_at is None or not timedelta() <= self._clock() - looked_at < LOOK_EVERY

    async def flush(self, parts: Mapping[TopicPartition, BudgetsPart]) -> Mapping[TopicPartition, Effects]:
        """Look at all budgets with the personas as they are now, and at all personas every half minute."""
        await self._directory.refresh()
        now, at_all = self._clock(), self._look_due()
        if at_all:
            self._looked_at = now
        for part in parts.values():
            part.watch.look(self._limits_of, now, at_all=at_all)
        return await super().flush(parts)

    def _limits_of(self, persona_id: str) -> BudgetLimits:
        if persona_id == EVERYONE:
            return self._limits
        applied = self._directory.find(persona_id)
        return BudgetLimits() if applied is None else limits_of_persona(applied.persona)

    def readings(self) -> Iterable[Reading]:
        """Return how much of each limit is spent now; a limit of 0 is spent from the beginning."""
        now = self._clock()
        for watch in self._watches:
            for use in watch.uses(self._limits_of, now):
                if use.limit_micros is not None:
                    ratio = use.spent_micros / use.limit_micros if use.limit_micros else 1.0
                    yield Reading(BUDGET_USED, (use.persona_id, use.period.kind), ratio)

    async def close(self) -> None:
        await self._directory.close()
