"""KPIs: as they stand, as they stood, and day by day; every ratio with its numerator and denominator."""

from __future__ import annotations

from dataclasses import asdict
from datetime import date, timedelta
from typing import Annotated

from fastapi import Query
from pydantic import BaseModel, Field

from agents.gateway.parameters import (
    USUAL_ITEMS,
    Cursor,
    Found,
    Limit,
    Moment,
    Number,
    Page,
    PersonaParam,
    Ratio,
    WindowName,
    day_place,
    example,
    iso,
    page_of,
    personas_shown,
)
from agents.gateway.routing import router
from agents.gateway.state import TheCaller, TheGateway
from agents.kpis.targets import COST_PER_FOLLOW_DOLLARS, ENGAGEMENT_RATE, REVENUE_DOLLARS
from sinks.reports.kpis import day_object, kpi_object

ROUTER = router("kpis")
MICROS = 1_000_000
MOST_POINTS = 200
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
SPANS = {"1h": (HOUR, MINUTE), "24h": (DAY, MINUTE), "7d": (7 * DAY, HOUR), "30d": (30 * DAY, HOUR)}
LIFETIME = (30 * DAY, HOUR)
"""How far back a window's history goes, and the panes that it is kept in."""


TARGETS: tuple[Found, ...] = tuple(
    {"metric": metric} | asdict(target)
    for metric, target in (
        ("engagement_rate", ENGAGEMENT_RATE),
        ("cost_per_follow", COST_PER_FOLLOW_DOLLARS),
        ("revenue_projection_monthly", REVENUE_DOLLARS),
    )
)


class Span(BaseModel):
    """Counts of a span of time; ratios of money are in dollars."""

    views: int
    likes: int
    replies: int
    reposts: int
    quotes: int
    shares: int
    clicks: int
    follows: int
    account_growth: int
    posts: int
    engagements: int
    cost_micros: int
    unpriced_calls: int
    revenue_micros: int
    one_off_revenue_micros: int
    recurring_revenue_micros: int
    engagement_rate: Ratio
    cost_per_follow: Ratio
    cost_per_account_growth: Ratio


class Kpi(Span):
    """The KPIs of a persona and a window, as `threads-agent kpis --json` shows them."""

    persona_id: str
    window: str
    window_start: Moment | None
    as_of: Moment
    late_events: int
    viral_posts: int | None
    revenue_projection_monthly: Ratio


class TargetShown(BaseModel):
    """What a KPI is to reach."""

    metric: str
    goal: float
    alarm: float = Field(description="From where on it is a matter of alarm.")
    wording: str


class Kpis(BaseModel):
    """KPIs and their targets."""

    items: list[Kpi]
    targets: list[TargetShown]


class KpiPoint(BaseModel):
    """The KPIs of a window as they stood at a moment, of one persona or of all together."""

    at: Moment
    personas: int = Field(description="Of how many personas.")
    views: int
    engagements: int
    posts: int
    clicks: int
    follows: int
    cost_micros: int
    revenue_micros: int
    viral_posts: int | None
    engagement_rate: float | None
    cost_per_follow: float | None = Field(description="Dollars.")
    revenue_projection_monthly: Number | None = Field(description="Dollars a month.")


class KpiHistory(BaseModel):
    """Points of a trend line, the oldest first."""

    items: list[KpiPoint]


class Day(Span):
    """What happened on a UTC day, as `threads-agent kpis daily --json` shows it."""

    persona_id: str
    day: Annotated[str, Field(json_schema_extra={"format": "date"})]
    simulated_events: int


_COUNTS: Found = {
    "views": 1_200,
    "likes": 40,
    "replies": 6,
    "reposts": 2,
    "quotes": 1,
    "shares": 3,
    "clicks": 12,
    "follows": 4,
    "account_growth": 5,
    "posts": 2,
    "engagements": 52,
    "cost_micros": 20_000,
    "unpriced_calls": 0,
    "revenue_micros": 0,
    "one_off_revenue_micros": 0,
    "recurring_revenue_micros": 0,
    "engagement_rate": {"value": 0.0433, "numerator": 52, "denominator": 1_200},
    "cost_per_follow": {"value": 0.005, "numerator": 0.02, "denominator": 4},
    "cost_per_account_growth": {"value": 0.004, "numerator": 0.02, "denominator": 5},
}
KPI_EXAMPLE: Found = {
    "persona_id": "night-shift-nora",
    "window": "24h",
    "window_start": "2026-11-21T09:41:00.000+00:00",
    "as_of": "2026-11-22T09:41:00.000+00:00",
    **_COUNTS,
    "late_events": 0,
    "viral_posts": 0,
    "revenue_projection_monthly": {"value": None, "numerator": None, "denominator": 1},
}
POINT_EXAMPLE: Found = {
    "at": "2026-11-22T09:41:00.000+00:00",
    "personas": 1,
    **{name: _COUNTS[name] for name in ("views", "engagements", "posts", "clicks", "follows")},
    "cost_micros": 20_000,
    "revenue_micros": 0,
    "viral_posts": 0,
    "engagement_rate": 0.0433,
    "cost_per_follow": 0.005,
    "revenue_projection_monthly": None,
}
DAY_EXAMPLE: Found = {"persona_id": "night-shift-nora", "day": "2026-11-22", **_COUNTS, "simulated_events": 81}
KPIS_EXAMPLE: Found = {"items": [KPI_EXAMPLE], "targets": list(TARGETS)}


@ROUTER.get(
    "/v1/kpis",
    summary="Show the KPIs as they stand, and their targets",
    responses=example(200, KPIS_EXAMPLE),
)
async def kpis(
    gateway: TheGateway,
    caller: TheCaller,
    persona: PersonaParam = None,
    window: Annotated[WindowName | None, Query(description="Only this window.")] = None,
) -> Kpis:
    """By persona and window."""
    rows = await gateway.database.rows("kpis", {"personas": personas_shown(gateway, caller, persona), "window": window})
    items = [kpi_object(row) for row in rows]
    return Kpis.model_validate({"items": items, "targets": list(TARGETS)})


@ROUTER.get(
    "/v1/kpis/history",
    summary="Show how the KPIs of a window stood over time",
    responses=example(200, {"items": [POINT_EXAMPLE]}),
)
async def history(
    gateway: TheGateway,
    caller: TheCaller,
    persona: PersonaParam = None,
    window: Annotated[WindowName, Query(description="Which window.")] = "24h",
    points: Annotated[int, Query(ge=1, le=MOST_POINTS, description="How many points at most.")] = 60,
) -> KpiHistory:
    """Over as long as the window itself (lifetime: 30 days), of one persona or of all together, evenly spread."""
    span, pane = SPANS.get(window, LIFETIME)
    chosen = {"personas": personas_shown(gateway, caller, persona), "window": window}
    rows = await gateway.database.rows("kpi_history", {**chosen, "points": points, "span": span, "pane": pane})
    return KpiHistory(items=[KpiPoint.model_validate(_point(row)) for row in rows])


def _point(row: Found) -> Found:
    projection = row["revenue_projection_monthly_micros"]
    return {
        **row,
        "at": iso(row["at"]),
        "engagement_rate": row["engagements"] / row["views"] if row["views"] else None,
        "cost_per_follow": row["cost_micros"] / row["follows"] / MICROS if row["follows"] > 0 else None,
        "revenue_projection_monthly": None if projection is None else projection / MICROS,
    }


@ROUTER.get(
    "/v1/kpis/daily",
    summary="List what happened day by day, however late its events came",
    responses=example(200, {"items": [DAY_EXAMPLE], "next_cursor": None}),
)
async def daily(
    gateway: TheGateway,
    caller: TheCaller,
    *,
    persona: PersonaParam = None,
    since: Annotated[date | None, Query(description="Only this day (UTC) and later ones.")] = None,
    until: Annotated[date | None, Query(description="Only days before this one (UTC).")] = None,
    limit: Limit = USUAL_ITEMS,
    cursor: Cursor = None,
) -> Page[Day]:
    """List by UTC day and persona, the oldest first."""
    chosen = {"personas": personas_shown(gateway, caller, persona), "since": since, "until": until}
    rows = await gateway.database.rows("days", {**chosen, **day_place(cursor), "limit": limit + 1})
    found: Page[Day] = page_of([day_object(row) for row in rows], limit, lambda item: [item["day"], item["persona_id"]])
    return found
