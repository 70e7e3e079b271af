"""Budgets: how much of a limit is spent, what that means, and which alerts are due. Pure; the clock is the caller's."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Literal

from agents.costs.settings import CostSettings
from schemas.records import BudgetAlert, BudgetAlertKind, BudgetPeriod
from streams.identity import derived_id
from streams.settings import Settings

EVERYONE = "*"
"""Stands for the persona where the spending of all is meant."""

WHOLE = 1_000_000  # shares are millionths
MICROS_PER_DOLLAR = 1_000_000
LENGTH: dict[BudgetPeriod, timedelta] = {"hour": timedelta(hours=1), "day": timedelta(days=1)}

Level = Literal["warn", "downgrade", "pause"]
LevelKind = Literal["free", "warn", "downgrade", "pause"]
KINDS: tuple[LevelKind, ...] = ("free", "warn", "downgrade", "pause")  # the later, the worse
TRAILING_HOURS = 24
LEAST_HOURS_WITH_SPEND = 3


@dataclass(frozen=True, slots=True)
class BudgetPolicy:
    """Shares of a limit from which each level holds, in millionths and rising, and what makes an hour a spike."""

    warn: int = 800_000
    downgrade: int = 850_000
    pause: int = 950_000
    spike_factor: int = 3
    spike_least_micros: int = MICROS_PER_DOLLAR

    @classmethod
    def of(cls, settings: Settings) -> BudgetPolicy:
        costs = settings.of(CostSettings)
        return cls(
            int(costs.budget_warn * WHOLE),
            int(costs.budget_downgrade * WHOLE),
            int(costs.budget_pause * WHOLE),
            costs.spike_factor,
            int(costs.spike_least_dollars * MICROS_PER_DOLLAR),
        )

    def share(self, level: Level) -> int:
        """Return the share of a level, in millionths."""
        shares: dict[Level, int] = {"warn": self.warn, "downgrade": self.downgrade, "pause": self.pause}
        return shares[level]


@dataclass(frozen=True, slots=True)
class BudgetLimits:
    """What may be spent in an hour and in a day, micro-dollars; None is no limit."""

    hour_micros: int | None = None
    day_micros: int | None = None

    @classmethod
    def of(cls, settings: Settings) -> BudgetLimits:
        """Return the limits of all personas together."""
        costs = settings.of(CostSettings)
        return cls(_micros(costs.hourly_budget_dollars), _micros(costs.daily_budget_dollars))

    def of_period(self, kind: BudgetPeriod) -> int | None:
        return self.hour_micros if kind == "hour" else self.day_micros


@dataclass(frozen=True, slots=True, order=True)
class Period:
    """A clock hour or a day, UTC."""

    start: datetime
    kind: BudgetPeriod

    @property
    def end(self) -> datetime:
        return self.start + LENGTH[self.kind]

    def __str__(self) -> str:
        return f"the hour from {self.start:%H:%M} UTC" if self.kind == "hour" else f"the day {self.start:%Y-%m-%d} UTC"


@dataclass(frozen=True, slots=True)
class BudgetUse:
    """What a persona, or EVERYONE, has spent of a limit in a period, micro-dollars."""

    persona_id: str
    period: Period
    spent_micros: int
    limit_micros: int | None


@dataclass(frozen=True, slots=True)
class BudgetLevel:
    """What spending allows: `until` is when it allows more again, None when it is free; `reason` says why, in words."""

    kind: LevelKind
    until: datetime | None
    reason: str


FREE = BudgetLevel("free", None, "no budget is near its limit")


def periods_at(now: datetime) -> tuple[Period, Period]:
    """Return the hour and the day that a moment in UTC is in."""
    hour = now.replace(minute=0, second=0, microsecond=0)
    return Period(hour, "hour"), Period(hour.replace(hour=0), "day")


def levels_reached(spent_micros: int, limit_micros: int | None, policy: BudgetPolicy) -> tuple[Level, ...]:
    """Return the levels whose share of the limit is spent, the mildest first; a limit of 0 reaches all."""
    if limit_micros is None:
        return ()
    levels: tuple[Level, ...] = ("warn", "downgrade", "pause")
    return tuple(level for level in levels if spent_micros * WHOLE >= limit_micros * policy.share(level))


def kind_of(use: BudgetUse, policy: BudgetPolicy) -> LevelKind:
    """Return the worst level that a budget has reached."""
    return (*KINDS[:1], *levels_reached(use.spent_micros, use.limit_micros, policy))[-1]


def worst_level(uses: Iterable[BudgetUse], policy: BudgetPolicy) -> BudgetLevel:
    """Return the worst level of several budgets; of equals the one whose period ends last."""
    kinds = [(KINDS.index(kind_of(use, policy)), use.period.end, use) for use in uses]
    if not kinds:
        return FREE
    severity, end, use = max(kinds, key=lambda each: each[:2])
    kind = KINDS[severity]
    return FREE if kind == "free" else BudgetLevel(kind, end, _reason(kind, use, policy))


def _reason(kind: LevelKind, use: BudgetUse, policy: BudgetPolicy) -> str:
    assert kind != "free"
    assert use.limit_micros is not None
    who = "all personas together have" if use.persona_id == EVERYONE else f"{use.persona_id} has"
    share = f" ({100 * use.spent_micros // use.limit_micros} %)" if use.limit_micros else ""
    spent, limit = dollars(use.spent_micros), dollars(use.limit_micros)
    level = format((Decimal(policy.share(kind)) * 100 / WHOLE).normalize(), "f")
    return f"{who} spent {spent} of {limit}{share} in {use.period}; {kind} from {level} %"


def dollars(micros: int) -> str:
    """Return an amount in words: cents, and as many digits more as it has."""
    whole, rest = divmod(micros, MICROS_PER_DOLLAR)
    digits = f"{rest:06d}"
    return f"${whole:,}.{digits[:2]}{digits[2:].rstrip('0')}"


def _micros(amount: Decimal | None) -> int | None:
    return None if amount is None else int(amount * MICROS_PER_DOLLAR)


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

    `hours_before` are the sums of the trailing hours before the period, micro-dollars (agents/costs/budget.py).
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
