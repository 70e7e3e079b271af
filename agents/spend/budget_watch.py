"""The budget watch: the book of spend and the alerts that followed from it, as one state. Pure; the clock is given."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta

from agents.costs.alerts import AlertKey, alerts_due, key_of, resumes_due
from agents.costs.budget import EVERYONE, BudgetLimits, BudgetPolicy, BudgetUse, periods_at
from agents.spend.spend_book import SpendBook, first_day_needed
from schemas.records import BudgetAlert, SpendTotal
from streams.json_records import parse_record, render_record

_DUE, _TOLD = b"0", b"1"
_TOTAL, _ALERT = b"t", b"a"  # first byte of a state key
ALERTS_KEPT = timedelta(days=2)  # after the end of their period
LimitsOf = Callable[[str], BudgetLimits]
"""Returns the limits of a persona, or of EVERYONE."""


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
            limits = limits_of(persona_id)
            for period in periods_at(now):
                spent = self._book.spent_micros(persona_id, period)
                use = BudgetUse(persona_id, period, spent, limits.of_period(period.kind))
                before = self._book.hours_before(persona_id, period)
                self._outbox.add(alerts_due(use, before, self._policy, self._outbox.alerts, now))
        self._outbox.add(list(resumes_due(self._outbox.alerts.values(), now)))

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
