"""KPI readings: the latest update of each persona and window, as far as the series need it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from typing import Any

from schemas.records import KpiUpdate

ENGAGEMENT_KINDS = ("views", "likes", "replies", "reposts", "quotes", "shares", "clicks", "follows")


@dataclass(frozen=True, slots=True, kw_only=True)
class KpiReading:
    """One `KpiUpdate` and the offset it was read at; times are milliseconds since the epoch, UTC."""

    persona_id: str
    window: str
    as_of_ms: int
    occurred_at_ms: int
    offset: int
    views: int = 0
    likes: int = 0
    replies: int = 0
    reposts: int = 0
    quotes: int = 0
    shares: int = 0
    clicks: int = 0
    follows: int = 0
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
            **{name: getattr(update, name) for name in _MEASURES},
        )

    def encoded(self) -> bytes:
        """Return the reading as JSON."""
        return json.dumps(asdict(self), ensure_ascii=False, separators=(",", ":")).encode()

    @classmethod
    def decoded(cls, value: bytes) -> KpiReading:
        """Return the reading of its JSON; fields of another version are left out or take their defaults."""
        found: dict[str, Any] = json.loads(value)
        return cls(**{field.name: found[field.name] for field in fields(cls) if field.name in found})


_MEASURES = (
    *ENGAGEMENT_KINDS,
    "engagement_rate",
    "cost_per_follow_dollars",
    "revenue_projection_monthly_micros",
    "viral_posts",
)


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
