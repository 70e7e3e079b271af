"""The day report: the daily history of each persona, every ratio with its numerator and denominator."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.table import Table
from rich.text import Text

from sinks.postgres.kpi_report import SPAN_COUNTS
from sinks.postgres.queries import Found
from sinks.postgres.ratios import dollars_each, percent, ratio

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


def day_table(rows: Sequence[Found]) -> Table:
    """Return the table that `kpis daily` prints."""
    table = Table("day (UTC)", "persona", title="Daily history")
    for name in ("views", "engagement rate", "cost / follow", "cost / growth", "clicks", "posts", "revenue"):
        table.add_column(name, justify="right")
    for row in rows:
        found = day_object(row)
        table.add_row(
            found["day"],
            Text(found["persona_id"]),
            f"{found['views']:,}",
            percent(found["engagement_rate"]),
            dollars_each(found["cost_per_follow"]),
            dollars_each(found["cost_per_account_growth"]),
            f"{found['clicks']:,}",
            f"{found['posts']:,}",
            f"${row['revenue_dollars']:,.2f}",
        )
    return table
