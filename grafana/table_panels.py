"""What PostgreSQL holds: KPIs by window, post and day with their denominators, drafts with decision."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from grafana_foundation_sdk.builders import table, timeseries

from grafana.panels import Look, rows, stacked_bars
from grafana.sources import SqlQuery

WHOLE_WIDTH = 24


def table_panels() -> Iterator[Any]:
    """Yield the panels of the Postgres sink's tables and views."""
    yield _kpis_by_window()
    yield _top_posts()
    yield _daily_history()
    yield _latest_drafts()
    yield _engagement_by_day()


def _kpis_by_window() -> table.Panel:
    return rows(
        Look(
            "KPIs by window",
            "The latest KPI update of each persona for the chosen windows, from view kpi_current. "
            "engagement rate = engagements / views; cost per follow = cost / follows, once by attributed follows and "
            "once by account growth; empty where the denominator is 0. unpriced calls: model calls without a known "
            "price, whose cost is not in the sum.",
            "none",
            WHOLE_WIDTH,
        ),
        SqlQuery("kpis_by_window"),
        {
            "engagement rate": "percentunit",
            "cost": "currencyUSD",
            "cost per follow": "currencyUSD",
            "cost per account growth": "currencyUSD",
            "revenue": "currencyUSD",
            "projection a month": "currencyUSD",
            "as of": "dateTimeAsIso",
        },
    )


def _top_posts() -> table.Panel:
    return rows(
        Look(
            "Top posts",
            "Of the posts published in the time range the 50 with the most views, from view post_kpis; counts are of "
            "all time. engagement rate = engagements / views; viral: over 10 % and at least 100 views; first day "
            "growth = views of hours 2 to 24 / first hour views; empty where the denominator is 0. published by: "
            "publication, or first engagement where no publication is known.",
            "none",
            WHOLE_WIDTH,
        ),
        SqlQuery("top_posts"),
        {"published": "dateTimeAsIso", "engagement rate": "percentunit", "first day growth": "percentunit"},
    )


def _daily_history() -> table.Panel:
    return rows(
        Look(
            "Daily history",
            "What happened on each UTC day of the time range by the events' own time, however late they came, from "
            "view daily_kpis. engagement rate = engagements / views; cost per follow = cost / follows, once by "
            "attributed follows and once by account growth; empty where the denominator is 0.",
            "none",
            WHOLE_WIDTH,
        ),
        SqlQuery("daily_history"),
        {
            "day": "time:YYYY-MM-DD",
            "engagement rate": "percentunit",
            "cost": "currencyUSD",
            "cost per follow": "currencyUSD",
            "cost per account growth": "currencyUSD",
            "revenue": "currencyUSD",
        },
    )


def _latest_drafts() -> table.Panel:
    return rows(
        Look(
            "Latest drafts",
            "The 50 latest drafts of the time range from table drafts: status (accepted or rejected once decided), "
            "score against threshold, reasons, and what a near-duplicate resembles.",
            "none",
            WHOLE_WIDTH,
        ),
        SqlQuery("latest_drafts"),
        {"generated": "dateTimeAsIso", "cost": "currencyUSD"},
    )


def _engagement_by_day() -> timeseries.Panel:
    return stacked_bars(
        Look(
            "Engagement by day",
            "Sum of the counts of table day_totals by kind and UTC day of the event's own time (occurred_at); "
            "simulated engagement stands apart.",
            "locale",
            WHOLE_WIDTH,
        ),
        SqlQuery("engagement_by_day", "time_series"),
    )
