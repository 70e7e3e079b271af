"""The spend of each persona and day as booked on one partition of cost.events. Pure; the clock is the caller's."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import polars as pl

from schemas.records import SpendTotal
from streams.identity import derived_id

HOURS = 24
HOUR_MS = 3_600_000
DAY_MS = HOURS * HOUR_MS
KEPT_DAYS = 8  # besides today, as the topic's retention has it: budgets and spikes look back a day, people a week
_LAYOUT = struct.Struct(f"<qq{HOURS}q")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


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
