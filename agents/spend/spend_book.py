"""The spend book: what all partitions of cost.events have told, added up by persona and hour. Pure."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta

from agents.costs.alerts import TRAILING_HOURS
from agents.costs.budget import EVERYONE, LENGTH, Period
from agents.spend.day_spend import HOURS
from schemas.records import SpendTotal
from streams.errors import RecordFault

HOUR_S = 3600


class SpendBook:
    """The newest total of each persona, day and source partition, and the sums over partitions by hour.

    Sums only grow with what is booked, so a total that is less than the one known is an older one: it came late from a
    worker that has lost its partition, and is passed over.
    """

    def __init__(self) -> None:
        self._totals: dict[str, SpendTotal] = {}
        self._hours: dict[str, Counter[int]] = {EVERYONE: Counter()}
        self._unpriced: dict[str, Counter[datetime]] = {EVERYONE: Counter()}
        self._first_day: datetime | None = None

    def apply(self, total: SpendTotal) -> bool:
        """Take over a total; tell whether it says anything new.

        Raises:
            RecordFault: it is not a day of amounts.
        """
        if len(total.hour_micros) != HOURS or min(total.hour_micros) < 0:
            raise RecordFault(
                f"expected {HOURS} hours of at least 0 micro-dollars in {total.total_id}, got {total.hour_micros!r}; "
                "only the role spend writes spend.totals"
            )
        known = self._totals.get(total.total_id)
        if known is not None and _weight(total) <= _weight(known):
            return False
        if known is not None:
            self._count(known, -1)
        self._totals[total.total_id] = total
        self._count(total, 1)
        return True

    def spent_micros(self, persona_id: str, period: Period) -> int:
        """Return what a persona, or EVERYONE, has spent in a period."""
        first = _hour(period.start)
        hours = self._hours.get(persona_id, Counter())
        return sum(hours[hour] for hour in range(first, first + LENGTH[period.kind] // LENGTH["hour"]))

    def hours_before(self, persona_id: str, period: Period) -> list[int]:
        """Return the spend of each of the TRAILING_HOURS hours before a period, the oldest first."""
        first, hours = _hour(period.start), self._hours.get(persona_id, Counter())
        return [hours[hour] for hour in range(first - TRAILING_HOURS, first)]

    def unpriced_calls(self, persona_id: str, day: datetime) -> int:
        """Return the calls of unknown price of a persona, or EVERYONE, on a day."""
        return self._unpriced.get(persona_id, Counter())[day]

    def personas(self) -> list[str]:
        """Return the ids of those that have a total, sorted."""
        return sorted(self._hours.keys() - {EVERYONE})

    def forget_before(self, day: datetime) -> list[str]:
        """Forget the totals of earlier days and return their ids; for a day that was given before there are none."""
        if day == self._first_day:
            return []
        self._first_day = day
        gone = sorted(name for name, total in self._totals.items() if total.day < day)
        for name in gone:
            self._count(self._totals.pop(name), -1)
        standing = {total.persona_id for total in self._totals.values()} | {EVERYONE}
        self._hours = {name: hours for name, hours in self._hours.items() if name in standing}
        self._unpriced = {name: calls for name, calls in self._unpriced.items() if name in standing}
        return gone

    def _count(self, total: SpendTotal, sign: int) -> None:
        first = _hour(total.day)
        for name in {total.persona_id, EVERYONE}:
            hours = self._hours.setdefault(name, Counter())
            for hour in range(HOURS):
                if total.hour_micros[hour]:
                    hours[first + hour] += sign * total.hour_micros[hour]
            self._unpriced.setdefault(name, Counter())[total.day] += sign * total.unpriced_calls


def day_of(now: datetime) -> datetime:
    """Return the start of the UTC day."""
    return now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def first_day_needed(now: datetime) -> datetime:
    """Return the earliest day that budgets and spikes of now look at."""
    return day_of(now) - timedelta(hours=TRAILING_HOURS)


def _hour(moment: datetime) -> int:
    return int(moment.timestamp()) // HOUR_S


def _weight(total: SpendTotal) -> int:
    return sum(total.hour_micros) + total.unpriced_calls
