"""The alert outbox: what was told of budgets, and what is still to be told, kept so that a crash drops no alert."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime

from agents.costs.alerts import AlertKey, key_of
from schemas.records import BudgetAlert
from streams.json_records import parse_record, render_record

_DUE, _TOLD = b"0", b"1"


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
