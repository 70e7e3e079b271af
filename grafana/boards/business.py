"""The dashboard "Business": the four KPIs against their targets, with their denominators, by persona, post and day."""

from __future__ import annotations

from collections.abc import Iterator

from agents.kpis.targets import COST_PER_FOLLOW_DOLLARS, ENGAGEMENT_RATE, REVENUE_DOLLARS
from grafana import variables
from grafana.board import Board, Panel
from grafana.panels import Look, described, lines, number, rows, stacked_bars
from grafana.promql import selector, total
from grafana.sources import promql, sql
from sinks.prometheus.metrics import (
    COST_PER_FOLLOW,
    ENGAGEMENTS,
    ENGAGEMENTS_LAST_HOUR,
    POSTS_ENGAGEMENT_RATE,
    REVENUE_PROJECTION,
    VIRAL_POSTS,
)

BY_PERSONA = "{{persona_id}}"
LIFETIME_COUNT = "Lifetime sum of the counts of engagement events; the same count by window is in the KPI table below."
RATE_VIEW, COST_VIEW, REVENUE_VIEW = "kpi/engagement_rate", "kpi/cost_per_follow", "kpi/revenue_projection_monthly"
POST_VIEW = "posts/${__data.fields.persona}/${__data.fields.post}"
PERSONA_VIEW = "?persona=${__data.fields.persona}"


def _numbers() -> Iterator[Panel]:
    """Yield each ratio with its denominator, then the sums that have none."""
    rate = described(POSTS_ENGAGEMENT_RATE, "Denominator: views.", target=ENGAGEMENT_RATE)
    cost = described(COST_PER_FOLLOW, "Denominator: attributed follows.", target=COST_PER_FOLLOW_DOLLARS)
    revenue = described(REVENUE_PROJECTION, "The choice of personas does not change it.", target=REVENUE_DOLLARS)
    look = Look("Engagement rate", rate, "percentunit", 8, RATE_VIEW, 2, ENGAGEMENT_RATE, of_persona=True)
    yield number(look, promql(selector(POSTS_ENGAGEMENT_RATE), BY_PERSONA))
    look = Look("Views", f"The engagement rate's denominator. {LIFETIME_COUNT}", "locale", 4, "posts", of_persona=True)
    yield number(look, promql(total(ENGAGEMENTS, ("persona_id",), kind="views"), BY_PERSONA))
    look = Look("Cost per follow", cost, "currencyUSD", 8, COST_VIEW, 4, COST_PER_FOLLOW_DOLLARS, of_persona=True)
    yield number(look, promql(selector(COST_PER_FOLLOW), BY_PERSONA))
    follows = f"The denominator of cost per follow. {LIFETIME_COUNT}"
    look = Look("Follows", follows, "locale", 4, "posts", of_persona=True)
    yield number(look, promql(total(ENGAGEMENTS, ("persona_id",), kind="follows"), BY_PERSONA))
    look = Look("Revenue projection", revenue, "currencyUSD", 12, REVENUE_VIEW, 0, REVENUE_DOLLARS)
    yield number(look, promql(total(REVENUE_PROJECTION), "a month, all personas"))
    look = Look("Viral posts", described(VIRAL_POSTS, "Lifetime."), "locale", 12, "kpi/viral_posts", of_persona=True)
    yield number(look, promql(total(VIRAL_POSTS, ("persona_id",)), BY_PERSONA))


def _history() -> Iterator[Panel]:
    rate = described(POSTS_ENGAGEMENT_RATE, target=ENGAGEMENT_RATE)
    revenue = described(REVENUE_PROJECTION, target=REVENUE_DOLLARS)
    look = Look("Engagement rate over time", rate, "percentunit", 8, RATE_VIEW, None, ENGAGEMENT_RATE, of_persona=True)
    yield lines(look, [promql(selector(POSTS_ENGAGEMENT_RATE), BY_PERSONA)])
    cost = described(COST_PER_FOLLOW, target=COST_PER_FOLLOW_DOLLARS)
    title, target = "Cost per follow over time", COST_PER_FOLLOW_DOLLARS
    yield lines(
        Look(title, cost, "currencyUSD", 8, COST_VIEW, None, target, of_persona=True),
        [promql(selector(COST_PER_FOLLOW), BY_PERSONA)],
    )
    look = Look("Revenue projection over time", revenue, "currencyUSD", 8, REVENUE_VIEW, None, REVENUE_DOLLARS)
    yield lines(look, [promql(total(REVENUE_PROJECTION), "a month, all personas")])


def _engagement() -> Iterator[Panel]:
    look = Look("Engagement of the last hour, by kind", described(ENGAGEMENTS_LAST_HOUR), "locale", 12, "posts")
    yield lines(look, [promql(total(ENGAGEMENTS_LAST_HOUR, ("kind",)), "{{kind}}")])
    by_day = (
        "Sum of the counts of table day_totals by kind and UTC day of the event's own time (occurred_at); "
        "simulated engagement stands apart."
    )
    yield stacked_bars(
        Look("Engagement by day", by_day, "locale", 12, "posts"), sql("engagement_by_day", "time_series")
    )


def _tables() -> Iterator[Panel]:
    windows = (
        "The latest KPI update of each persona for the chosen windows, from view kpi_current. "
        "engagement rate = engagements / views; cost per follow = cost / follows, once by attributed follows and "
        "once by account growth; empty where the denominator is 0. unpriced calls: model calls without a known "
        "price, whose cost is not in the sum."
    )
    posts = (
        "Of the posts published in the time range the 50 with the most views, from view post_kpis; counts are of "
        "all time. engagement rate = engagements / views; viral: over 10 % and at least 100 views; first day "
        "growth = views of hours 2 to 24 / first hour views; empty where the denominator is 0. published by: "
        "publication, or first engagement where no publication is known."
    )
    days = (
        "What happened on each UTC day of the time range by the events' own time, however late they came, from "
        "view daily_kpis. engagement rate = engagements / views; cost per follow = cost / follows, once by "
        "attributed follows and once by account growth; empty where the denominator is 0."
    )
    money = dict.fromkeys(("cost", "cost per follow", "cost per account growth", "revenue"), "currencyUSD")
    rate = {"engagement rate": "percentunit"}
    yield rows(
        Look("KPIs by window", windows, "none", 24, ""),
        sql("kpis_by_window"),
        {**rate, **money, "projection a month": "currencyUSD", "as of": "dateTimeAsIso"},
        {"persona": PERSONA_VIEW},
    )
    yield rows(
        Look("Top posts", posts, "none", 24, "posts"),
        sql("top_posts"),
        {"published": "dateTimeAsIso", **rate, "first day growth": "percentunit"},
        {"post": POST_VIEW, "persona": PERSONA_VIEW},
    )
    yield rows(
        Look("Daily history", days, "none", 24, ""),
        sql("daily_history"),
        {"day": "time:YYYY-MM-DD", **rate, **money},
        {"persona": PERSONA_VIEW},
    )


BOARD = Board(
    uid="business-kpis",
    title="Business",
    description="Engagement, cost, revenue and virality of the personas against their targets.",
    variables=(variables.persona(), variables.window("window of the KPI table", several=True)),
    rows={
        "KPIs in the window THREADS_METRICS_WINDOW (default 24h)": _numbers,
        "KPIs over time": _history,
        "Engagement": _engagement,
        "From PostgreSQL": _tables,
    },
)
