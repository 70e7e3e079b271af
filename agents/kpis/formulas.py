"""The business KPIs: one formula each, its numerator and denominator beside it (definitions: README, section KPIs)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from agents.kpis.windows import DAY_MS
from schemas.engagement import VIRAL_LEAST_VIEWS, VIRAL_VIEWS_BY_ENGAGEMENT

MICROS = 1_000_000
MONTH_MS = 30 * DAY_MS


def engagement_rate(engagements: int, views: int) -> float | None:
    """Return engagements / views, None without views; engagements are the sum of ENGAGING_COUNTERS."""
    return engagements / views if views > 0 else None


def cost_per_follow_dollars(cost_micros: int, follows: int) -> float | None:
    """Return all cost of the window in dollars by its follows, None unless there are any."""
    return cost_micros / follows / MICROS if follows > 0 else None


def are_viral(engagements: NDArray[np.int64], views: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Tell which posts are viral, by the rule in schemas/engagement.py. Shapes all (posts,)."""
    rate_is_over = engagements > views // VIRAL_VIEWS_BY_ENGAGEMENT  # of integers: as if divided without rounding
    return np.asarray((views >= VIRAL_LEAST_VIEWS) & rate_is_over, dtype=np.bool_)


def revenue_projection_micros(
    one_off_30d_micros: int, recurring_micros: int, first_revenue_ms: int | None, now_ms: int
) -> int:
    """Return the monthly projection: the run rate of one-off revenue of 30 days plus recurring revenue.

    The run rate is scaled by the days covered: from the first one-off revenue to now, at least 1 and at most 30.
    Integer arithmetic, rounded down.
    """
    if first_revenue_ms is None:
        return recurring_micros
    covered_ms = min(max(now_ms - first_revenue_ms, DAY_MS), MONTH_MS)
    return one_off_30d_micros * MONTH_MS // covered_ms + recurring_micros
