"""KPI readings: the latest update of each persona and window, as far as the series need it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from schemas.engagement import POST_COUNTERS
from schemas.records import KpiUpdate


@dataclass(frozen=True, slots=True, kw_only=True)
class KpiReading:
    """One `KpiUpdate` and the offset it was read at; times are milliseconds since the epoch, UTC.

    `counts` has the POST_COUNTERS by name.
    """

    persona_id: str
    window: str
    as_of_ms: int
    occurred_at_ms: int
    offset: int
    counts: Mapping[str, int]
    engagement_rate: float | None = None
    cost_per_follow_dollars: float | None = None
    revenue_projection_monthly_micros: int | None = None
    viral_posts: int | None = None

    @property
    def age_key(self) -> tuple[int, int, int]:
        """Return what orders readings in time: the later instant, then the later written."""
        return (self.as_of_ms, self.occurred_at_ms, self.offset)

    @classmethod
    def of(cls, update: KpiUpdate, offset: int) -> KpiReading:
        """Return the reading of an update."""
        return cls(
            persona_id=update.persona_id,
            window=update.window,
            as_of_ms=_ms(update.window_end.timestamp()),
            occurred_at_ms=_ms(update.occurred_at.timestamp()),
            offset=offset,
            counts={name: getattr(update, name) for name in POST_COUNTERS},
            **{name: getattr(update, name) for name in _MEASURES},
        )

    def encoded(self) -> bytes:
        """Return the reading as JSON, counts beside the other fields."""
        flat = asdict(self)
        flat |= flat.pop("counts")
        return json.dumps(flat, ensure_ascii=False, separators=(",", ":")).encode()

    @classmethod
    def decoded(cls, value: bytes) -> KpiReading:
        """Return the reading of its JSON; fields of another version are left out or take their defaults."""
        found: dict[str, Any] = json.loads(value)
        counts = {name: found.get(name, 0) for name in POST_COUNTERS}
        return cls(counts=counts, **{field.name: found[field.name] for field in fields(cls) if field.name in found})


_MEASURES = ("engagement_rate", "cost_per_follow_dollars", "revenue_projection_monthly_micros", "viral_posts")


def _ms(seconds: float) -> int:
    return round(seconds * 1000)


class KpiReadings:
    """The latest readings of one partition of kpi.updates."""

    def __init__(self) -> None:
        self._latest: dict[tuple[str, str], KpiReading] = {}
        self._changed: set[tuple[str, str]] = set()

    @property
    def latest(self) -> list[KpiReading]:
        """Return the readings there are."""
        return list(self._latest.values())

    def restore(self, value: bytes) -> None:
        """Take over a reading as `changes` encoded it."""
        reading = KpiReading.decoded(value)
        self._latest[reading.persona_id, reading.window] = reading

    def apply(self, reading: KpiReading) -> None:
        """Keep the reading, unless a later one is there."""
        key = (reading.persona_id, reading.window)
        known = self._latest.get(key)
        if known is None or known.age_key < reading.age_key:
            self._latest[key] = reading
            self._changed.add(key)

    def changes(self) -> list[tuple[bytes, bytes]]:
        """Return the readings changed since the last call: JSON of [persona_id, window], and the encoded reading."""
        changed = [
            (json.dumps(key, ensure_ascii=False).encode(), self._latest[key].encoded()) for key in sorted(self._changed)
        ]
        self._changed.clear()
        return changed
