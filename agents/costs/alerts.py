"""Alerts: which of them a budget is due, given those that were told, and what makes an hour a spike. Pure."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from agents.costs.budget import BudgetPolicy, BudgetUse, Period, levels_reached
from schemas.records import BudgetAlert, BudgetAlertKind
from streams.identity import derived_id

TRAILING_HOURS = 24
LEAST_HOURS_WITH_SPEND = 3


@dataclass(frozen=True, slots=True)
class AlertKey:
    """What is told once: a kind of alert on a persona's period."""

    persona_id: str
    kind: BudgetAlertKind
    period: Period

    @property
    def event_id(self) -> str:
        """Return the id of the alert's event."""
        period = self.period
        return derived_id("budget", self.persona_id, self.kind, period.kind, period.start.isoformat())


def alerts_due(
    use: BudgetUse, hours_before: Sequence[int], policy: BudgetPolicy, told: Container[AlertKey], now: datetime
) -> Iterator[BudgetAlert]:
    """Yield an alert for each level that a budget has reached and, of an hour, for a spike; what was told is not again.

    `hours_before` are the sums of the trailing hours before the period, micro-dollars (agents/costs/alerts.py).
    """
    for level in levels_reached(use.spent_micros, use.limit_micros, policy):
        yield from _untold(AlertKey(use.persona_id, level, use.period), use.spent_micros, use.limit_micros, told, now)
    if use.period.kind == "hour" and is_spike(use.spent_micros, hours_before, policy):
        mean = trailing_mean_micros(hours_before)
        yield from _untold(AlertKey(use.persona_id, "spike", use.period), use.spent_micros, mean, told, now)


def resumes_due(told: Iterable[BudgetAlert], now: datetime) -> Iterator[BudgetAlert]:
    """Yield a resume for each pause that was told whose period is over, and that no resume was told for."""
    keys = {key_of(alert): alert for alert in told}
    for key, alert in keys.items():
        if key.kind == "pause" and key.period.end <= now:
            resume = AlertKey(key.persona_id, "resume", key.period)
            yield from _untold(resume, alert.spent_micros, alert.limit_micros, keys, now)


def key_of(alert: BudgetAlert) -> AlertKey:
    """Return what an alert tells of."""
    return AlertKey(alert.persona_id, alert.kind, Period(alert.period_start, alert.period))


def _untold(
    key: AlertKey, spent_micros: int, limit_micros: int | None, told: Container[AlertKey], now: datetime
) -> Iterator[BudgetAlert]:
    if key not in told:
        yield BudgetAlert(
            event_id=key.event_id,
            occurred_at=now,
            persona_id=key.persona_id,
            kind=key.kind,
            period=key.period.kind,
            period_start=key.period.start,
            spent_micros=spent_micros,
            limit_micros=limit_micros,
        )


def trailing_mean_micros(hours_before: Sequence[int]) -> int | None:
    """Return the mean of the hours that cost something, rounded down, micro-dollars; None where these are too few.

    `hours_before` are the sums of the TRAILING_HOURS hours before, micro-dollars.
    """
    with_spend = [micros for micros in hours_before if micros > 0]
    return sum(with_spend) // len(with_spend) if len(with_spend) >= LEAST_HOURS_WITH_SPEND else None


def is_spike(spent_micros: int, hours_before: Sequence[int], policy: BudgetPolicy) -> bool:
    """Tell whether an hour's spend is at least the factor times the mean of the hours before, and no mere cents.

    The mean is of the hours that cost something: a persona that posts twice a day has its own measure.
    """
    with_spend = [micros for micros in hours_before if micros > 0]
    if len(with_spend) < LEAST_HOURS_WITH_SPEND or spent_micros < policy.spike_least_micros:
        return False
    return spent_micros * len(with_spend) >= policy.spike_factor * sum(with_spend)
