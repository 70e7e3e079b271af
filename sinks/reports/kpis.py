"""The KPI reports: personas by window and by day, and posts; every ratio with its numerator and denominator."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from schemas.engagement import COUNTER_OF, POST_COUNTERS
from sinks.reports.ratios import dollars, dollars_each, percent, ratio
from streams.cli.table import Cell, Column, Table, count

if TYPE_CHECKING:
    from sinks.reports.queries import Found


SPAN_COUNTS = (
    *COUNTER_OF.values(),
    "posts",
    "engagements",
    "cost_micros",
    "unpriced_calls",
    "revenue_micros",
    "one_off_revenue_micros",
    "recurring_revenue_micros",
)
"""Counts of any span of time, a window or a day."""

WINDOW_COUNTS = (*SPAN_COUNTS, "late_events", "viral_posts")
ALL_DAYS = {"after_day": None, "after_persona": None, "limit": None}
"""Parameters of the days from the first to the last, not a page of them."""

DAY_COUNTS = (*SPAN_COUNTS, "simulated_events")
SORTS = (
    "views",
    "engagements",
    "engagement-rate",
    "clicks",
    "follows",
    "first-hour",
    "first-day",
    "growth",
    "published",
)
_SPANS = ("first_hour", "first_day")


def kpi_object(row: Found) -> dict[str, Any]:
    """Return the object that `kpis --json` prints for a row of kpi_current; times are ISO 8601, money is dollars."""
    cost_dollars, projection = float(row["cost_dollars"]), row["revenue_projection_monthly_dollars"]
    dollars_a_month = None if projection is None else float(projection)
    return {
        "persona_id": row["persona_id"],
        "window": row["window_name"],
        "window_start": None if row["window_start"] is None else row["window_start"].isoformat(timespec="milliseconds"),
        "as_of": row["as_of"].isoformat(timespec="milliseconds"),
        **{name: row[name] for name in WINDOW_COUNTS},
        "engagement_rate": ratio(row["engagement_rate"], row["engagements"], row["views"]),
        "cost_per_follow": ratio(row["cost_per_follow_dollars"], cost_dollars, row["follows"]),
        "cost_per_account_growth": ratio(row["cost_per_account_growth_dollars"], cost_dollars, row["account_growth"]),
        "revenue_projection_monthly": ratio(dollars_a_month, dollars_a_month, 1),  # dollars by one month
    }


_COLUMNS = (
    Column("persona", "id"),
    Column("window"),
    Column("as of (UTC)", minor=3),
    Column("views", "number"),
    Column("engagement rate", "number"),
    Column("cost / follow", "number"),
    Column("cost / growth", "number", minor=1),
    Column("$ a month", "number", minor=1),
    Column("viral", "number", minor=1),
    Column("posts", "number"),
    Column("late", "number", minor=2),
)


def kpi_table(rows: Sequence[Found]) -> Table:
    """Return the table that `kpis` prints."""
    return Table(_COLUMNS, [_kpi_cells(row, kpi_object(row)) for row in rows], title="KPIs")


def _kpi_cells(row: Found, found: dict[str, Any]) -> Sequence[Cell]:
    a_month = found["revenue_projection_monthly"]["value"]
    return (
        found["persona_id"],
        found["window"],
        f"{row['as_of']:%Y-%m-%d %H:%M:%S}",
        count(found["views"]),
        percent(found["engagement_rate"]),
        dollars_each(found["cost_per_follow"]),
        dollars_each(found["cost_per_account_growth"]),
        "-" if a_month is None else dollars(a_month),
        "-" if found["viral_posts"] is None else count(found["viral_posts"]),
        count(found["posts"]),
        count(found["late_events"]),
    )


def day_object(row: Found) -> dict[str, Any]:
    """Return the object that `kpis daily --json` prints for a row of daily_kpis; money in ratios is dollars."""
    cost_dollars = float(row["cost_dollars"])
    return {
        "persona_id": row["persona_id"],
        "day": row["day"].isoformat(),
        **{name: row[name] for name in DAY_COUNTS},
        "engagement_rate": ratio(row["engagement_rate"], row["engagements"], row["views"]),
        "cost_per_follow": ratio(row["cost_per_follow_dollars"], cost_dollars, row["follows"]),
        "cost_per_account_growth": ratio(row["cost_per_account_growth_dollars"], cost_dollars, row["account_growth"]),
    }


_DAY_COLUMNS = (
    Column("day (UTC)"),
    Column("persona", "id"),
    Column("views", "number"),
    Column("engagement rate", "number"),
    Column("cost / follow", "number"),
    Column("cost / growth", "number", minor=2),
    Column("clicks", "number", minor=1),
    Column("posts", "number", minor=1),
    Column("revenue", "number"),
)


def day_table(rows: Sequence[Found]) -> Table:
    """Return the table that `kpis daily` prints."""
    return Table(_DAY_COLUMNS, [_day_cells(row, day_object(row)) for row in rows], title="Daily history")


def _day_cells(row: Found, found: dict[str, Any]) -> Sequence[Cell]:
    return (
        found["day"],
        found["persona_id"],
        count(found["views"]),
        percent(found["engagement_rate"]),
        dollars_each(found["cost_per_follow"]),
        dollars_each(found["cost_per_account_growth"]),
        count(found["clicks"]),
        count(found["posts"]),
        dollars(row["revenue_dollars"]),
    )


FIRST_POSTS = {"after_value": None, "after_persona": None, "after_post": None}
"""Parameters of the first posts of a list; those of a later page say behind which post it begins."""

_POST_COUNTS = (*POST_COUNTERS, "engagements")


def post_object(row: Found) -> dict[str, Any]:
    """Return the object that `kpis posts --json` prints for a row of post_kpis; times are ISO 8601.

    Of a post of which only totals so far are known, the first hour and day are null.
    """
    hour, day = ({"views": row[f"{span}_views"], "engagements": row[f"{span}_engagements"]} for span in _SPANS)
    later_views = None if hour["views"] is None else day["views"] - hour["views"]
    return {
        "persona_id": row["persona_id"],
        "post_id": row["post_id"],
        "published_at": row["published_at"].isoformat(timespec="milliseconds"),
        "published_at_from": row["published_at_from"],
        **{name: row[name] for name in _POST_COUNTS},
        "engagement_rate": ratio(row["engagement_rate"], row["engagements"], row["views"]),
        "viral": row["viral"],
        "first_hour": hour,
        "first_day": day,
        "first_day_growth": ratio(row["first_day_growth"], later_views, hour["views"]),
        "events": row["events"],
        "simulated_events": row["simulated_events"],
        "text": row["text"],
    }


_POST_COLUMNS = (
    Column("persona", "id"),
    Column("post", "id"),
    Column("published (UTC)", minor=2),
    Column("views", "number"),
    Column("engagement rate", "number"),
    Column("viral", minor=1),
    Column("clicks", "number", minor=1),
    Column("follows", "number", minor=1),
    Column("first hour", "number", minor=3),
    Column("first day", "number", minor=3),
    Column("growth", "number", minor=3),
    Column("text", "text", minor=2),
)


def post_table(rows: Sequence[Found]) -> Table:
    """Return the table that `kpis posts` prints."""
    guessed = any(row["published_at_from"] != "publication" for row in rows)
    return Table(
        _POST_COLUMNS,
        [_post_cells(row, post_object(row)) for row in rows],
        title=f"KPIs of {len(rows):,} posts",
        note="* no publication is known: the time of the first engagement" if guessed else "",
    )


def _post_cells(row: Found, found: dict[str, Any]) -> Sequence[Cell]:
    return (
        found["persona_id"],
        found["post_id"],
        f"{row['published_at']:%Y-%m-%d %H:%M}{'' if row['published_at_from'] == 'publication' else ' *'}",
        count(found["views"]),
        percent(found["engagement_rate"]),
        "yes" if found["viral"] else "no",
        count(found["clicks"]),
        count(found["follows"]),
        _known(found["first_hour"]["views"]),
        _known(found["first_day"]["views"]),
        "-" if found["first_hour"]["views"] is None else percent(found["first_day_growth"]),
        found["text"] or "",
    )


def _known(views: int | None) -> Cell:
    return "-" if views is None else count(views)
