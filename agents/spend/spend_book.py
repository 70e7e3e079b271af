"""The spend of each persona: by day as booked on one partition, and by hour over all of them. Pure."""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import polars as pl

from agents.costs.budget import EVERYONE, LENGTH, TRAILING_HOURS, Period
from schemas.records import SpendTotal
from streams.errors import RecordFault
from streams.identity import derived_id

HOURS = 24
HOUR_MS = 3_600_000
DAY_MS = HOURS * HOUR_MS
KEPT_DAYS = 8  # besides today, as the topic's retention has it: budgets and spikes look back a day, people a week
_LAYOUT = struct.Struct(f"<qq{HOURS}q")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
HOUR_S = 3600


class DayKey(NamedTuple):
    """A persona's day; `day` counts days since the epoch, UTC."""

    day: int
    persona_id: str

    def encoded(self) -> bytes:
        return f"{self.day}|{self.persona_id}".encode()

    @classmethod
    def decoded(cls, key: bytes) -> DayKey:
        day, persona_id = key.decode().split("|", 1)
        return cls(int(day), persona_id)


@dataclass(slots=True)
class DaySpend:
    """Micro-dollars by hour of the day, calls of unknown price, and the offset of the last call that is in them."""

    hour_micros: list[int] = field(default_factory=lambda: [0] * HOURS)
    unpriced_calls: int = 0
    offset: int = -1

    def encoded(self) -> bytes:
        return _LAYOUT.pack(self.offset, self.unpriced_calls, *self.hour_micros)

    @classmethod
    def decoded(cls, value: bytes) -> DaySpend:
        offset, unpriced_calls, *hour_micros = _LAYOUT.unpack(value)
        return cls(hour_micros, unpriced_calls, offset)


class PartitionSpend:
    """The days of one source partition.

    Every day has the offset up to which it is applied: a call that comes again is in the sums already, but its day is
    told again, because a crash may have come between the state and the telling.
    """

    def __init__(self, state: Iterable[tuple[bytes, bytes]] = ()) -> None:
        self._days = {DayKey.decoded(key): DaySpend.decoded(value) for key, value in state}
        self._touched: set[DayKey] = set()

    def add(self, costs: pl.DataFrame, now_ms: int) -> None:
        """Add rows of cost.events; those of days that are not kept any more are passed over."""
        oldest = oldest_kept_day(now_ms)
        columns = costs.select("persona_id", "occurred_at", "offset", "cost_micros")
        for persona_id, at_ms, offset, micros in columns.iter_rows():
            day, within = divmod(at_ms, DAY_MS)
            if day < oldest:
                continue
            key = DayKey(day, persona_id)
            spend = self._days.get(key)
            if spend is None:
                spend = self._days[key] = DaySpend()
            self._touched.add(key)
            if offset <= spend.offset:
                continue
            spend.offset = offset
            if micros is None:
                spend.unpriced_calls += 1
            else:
                spend.hour_micros[within // HOUR_MS] += micros

    def take_touched(self) -> Iterator[tuple[DayKey, DaySpend]]:
        """Yield the days that calls came for since the last time, in order."""
        touched, self._touched = self._touched, set()
        return ((key, self._days[key]) for key in sorted(touched))

    def expire(self, now_ms: int) -> list[DayKey]:
        """Forget the days that are not kept any more and return their keys."""
        oldest = oldest_kept_day(now_ms)
        expired = sorted(key for key in self._days if key.day < oldest)
        for key in expired:
            del self._days[key]
            self._touched.discard(key)
        return expired


def oldest_kept_day(now_ms: int) -> int:
    """Return the number of the oldest day that is kept."""
    return now_ms // DAY_MS - KEPT_DAYS


def spend_total(key: DayKey, spend: DaySpend, source_partition: int, now: datetime) -> SpendTotal:
    """Return the event that tells a day; its id follows from the day, the partition and the offset it is at."""
    day = _EPOCH + timedelta(days=key.day)
    total_id = f"{key.persona_id}|{day:%Y-%m-%d}|{source_partition}"
    return SpendTotal(
        event_id=derived_id("spend", total_id, str(spend.offset)),
        occurred_at=now,
        total_id=total_id,
        persona_id=key.persona_id,
        day=day,
        source_partition=source_partition,
        hour_micros=tuple(spend.hour_micros),
        unpriced_calls=spend.unpriced_calls,
    )


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
