"""The post report: each post with its counters, its engagement rate, whether it is viral, and how it started."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.table import Table
from rich.text import Text

from sinks.postgres.queries import Found
from sinks.postgres.ratios import percent, ratio, shown_value

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
TEXT_WIDTH = 40
_SPANS = ("first_hour", "first_day")
_COUNTS = ("views", "likes", "replies", "reposts", "quotes", "shares", "clicks", "follows", "engagements")


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


def post_table(rows: Sequence[Found]) -> Table:
    """Return the table that `kpis posts` prints."""
    table = Table("persona", "post", "published (UTC)", title=f"KPIs of {len(rows):,} posts")
    for name in ("views", "engagement rate", "viral", "clicks", "follows", "first hour", "first day", "growth"):
        table.add_column(name, justify="right")
    table.add_column("text")
    for row in rows:
        found = post_object(row)
        table.add_row(
            Text(found["persona_id"]),
            Text(found["post_id"]),
            f"{row['published_at']:%Y-%m-%d %H:%M}{'' if row['published_at_from'] == 'publication' else ' *'}",
            f"{found['views']:,}",
            percent(found["engagement_rate"]),
            "yes" if found["viral"] else "no",
            f"{found['clicks']:,}",
            f"{found['follows']:,}",
            shown_value(found["first_hour"]["views"], "{:,}"),
            shown_value(found["first_day"]["views"], "{:,}"),
            "-" if found["first_hour"]["views"] is None else percent(found["first_day_growth"]),
            Text(_shortened(found["text"] or "")),
        )
    if any(row["published_at_from"] != "publication" for row in rows):
        table.caption = "* no publication is known: the time of the first engagement"
    return table


def _shortened(text: str) -> str:
    return text if len(text) <= TEXT_WIDTH else text[: TEXT_WIDTH - 1] + "…"
