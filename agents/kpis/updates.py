"""KPI updates: the record that tells a persona's KPIs in one window."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from agents.kpis.counters import COUNTERS, ENGAGEMENTS
from agents.kpis.formulas import cost_per_follow_dollars, engagement_rate, revenue_projection_micros
from agents.kpis.persona_counters import WindowCounts
from schemas.records import KpiUpdate
from streams.identity import derived_id

TOPIC = "kpi.updates"
PROJECTION_WINDOW = "30d"


def kpi_update(counted: WindowCounts, now_ms: int) -> KpiUpdate:
    """Return the update of a persona and window as of `now_ms`."""
    persona_id = counted.persona_id
    counts: dict[str, Any] = dict(zip(COUNTERS, counted.counts, strict=True))
    engagements = sum(counts[name] for name in ENGAGEMENTS)
    start_ms = counted.window.start_ms(now_ms)
    projection = None
    if counted.window.name == PROJECTION_WINDOW:
        one_off = counts["one_off_revenue_micros"]
        projection = revenue_projection_micros(one_off, counted.recurring_micros, counted.first_revenue_ms, now_ms)
    return KpiUpdate(
        event_id=derived_id(persona_id, counted.window.name, str(now_ms)),
        occurred_at=_time(now_ms),
        persona_id=persona_id,
        window=counted.window.name,
        window_start=None if start_ms is None else _time(start_ms),
        window_end=_time(now_ms),
        engagements=engagements,
        engagement_rate=engagement_rate(engagements, counts["views"]),
        cost_per_follow_dollars=cost_per_follow_dollars(counts["cost_micros"], counts["follows"]),
        cost_per_account_growth_dollars=cost_per_follow_dollars(counts["cost_micros"], counts["account_growth"]),
        revenue_projection_monthly_micros=projection,
        viral_posts=counted.viral_posts,
        **counts,
    )


def _time(ms: int) -> datetime:
    return datetime.fromtimestamp(ms / 1000, UTC)
