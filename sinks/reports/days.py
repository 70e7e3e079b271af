"""The day report: the daily history of each persona, every ratio with its numerator and denominator."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from sinks.reports.kpis import SPAN_COUNTS
from sinks.reports.ratios import dollars, dollars_each, percent, ratio
from streams.cli.table import Cell, Column, Table, count

if TYPE_CHECKING:
    from sinks.reports.queries import Found

_COUNTS = (*SPAN_COUNTS, "simulated_events")


def day_object(row: Found) -> dict[str, Any]:
    """Return the object that `kpis daily --json` prints for a row of daily_kpis; money in ratios is dollars."""
    cost_dollars = float(row["cost_dollars"])
    return {
        "persona_id": row["persona_id"],
        "day": row["day"].isoformat(),
        **{name: row[name] for name in _COUNTS},
        "engagement_rate": ratio(row["engagement_rate"], row["engagements"], row["views"]),
        "cost_per_follow": ratio(row["cost_per_follow_dollars"], cost_dollars, row["follows"]),
        "cost_per_account_growth": ratio(row["cost_per_account_growth_dollars"], cost_dollars, row["account_growth"]),
    }


_COLUMNS = (
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
    return Table(_COLUMNS, [_day_cells(row, day_object(row)) for row in rows], title="Daily history")


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
