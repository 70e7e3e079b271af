"""The post report: each post with its counters, its engagement rate, whether it is viral, and how it started."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from schemas.engagement import POST_COUNTERS
from sinks.reports.ratios import percent, ratio
from streams.cli.table import Cell, Column, Table, count

if TYPE_CHECKING:
    from sinks.reports.queries import Found

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
_COUNTS = (*POST_COUNTERS, "engagements")


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
        **{name: row[name] for name in _COUNTS},
        "engagement_rate": ratio(row["engagement_rate"], row["engagements"], row["views"]),
        "viral": row["viral"],
        "first_hour": hour,
        "first_day": day,
        "first_day_growth": ratio(row["first_day_growth"], later_views, hour["views"]),
        "events": row["events"],
        "simulated_events": row["simulated_events"],
        "text": row["text"],
    }


_COLUMNS = (
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
        _COLUMNS,
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
