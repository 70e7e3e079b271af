"""KPI updates: the records that tell personas' KPIs in one window, as columns."""

from __future__ import annotations

from agents.kpis.counters import COUNTERS
from agents.kpis.formulas import cost_per_follow_dollars, engagement_rate, revenue_projection_micros
from agents.kpis.persona_counters import WindowCounts
from schemas.codec.column_encoder import Column, Constant
from schemas.engagement import ENGAGING_COUNTERS
from streams.engine.stage import OutputColumns
from streams.identity import derived_id

TOPIC = "kpi.updates"
PROJECTION_WINDOW = "30d"


def projections(counted: WindowCounts, now_ms: int) -> list[int | None]:
    """Return the monthly revenue projection of each persona, None for windows it does not follow from."""
    if counted.window.name != PROJECTION_WINDOW:
        return [None] * len(counted.personas)
    one_off = counted.counts[:, COUNTERS.index("one_off_revenue_micros")].tolist()
    levels = zip(one_off, counted.recurring_micros.tolist(), counted.first_revenue_ms.tolist(), strict=True)
    return [revenue_projection_micros(amount, recurring, first or None, now_ms) for amount, recurring, first in levels]


def kpi_updates(counted: WindowCounts, projected: list[int | None], now_ms: int) -> OutputColumns:
    """Return the updates of personas in one window as of `now_ms`."""
    counts = dict(zip(COUNTERS, counted.counts.T.tolist(), strict=True))
    engagements = [sum(each) for each in zip(*(counts[name] for name in ENGAGING_COUNTERS), strict=True)]
    costs, window, now = counts["cost_micros"], counted.window.name, str(now_ms)
    columns: dict[str, Column] = {
        "event_id": [derived_id(persona, window, now) for persona in counted.personas],
        "occurred_at": Constant(now_ms),
        "persona_id": counted.personas,
        "window": Constant(window),
        "window_start": Constant(counted.window.start_ms(now_ms)),
        "window_end": Constant(now_ms),
        "engagements": engagements,
        "engagement_rate": list(map(engagement_rate, engagements, counts["views"])),
        "cost_per_follow_dollars": list(map(cost_per_follow_dollars, costs, counts["follows"])),
        "cost_per_account_growth_dollars": list(map(cost_per_follow_dollars, costs, counts["account_growth"])),
        "revenue_projection_monthly_micros": projected,
        "viral_posts": Constant(None) if counted.viral_posts is None else counted.viral_posts.tolist(),
        **counts,
    }
    return OutputColumns(TOPIC, columns)
