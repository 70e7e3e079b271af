"""The cost report: what the model calls of each persona cost, by model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from sinks.reports.ratios import dollars
from streams.cli.table import Column, Table, count

if TYPE_CHECKING:
    from sinks.reports.queries import Found

_COUNTS = ("calls", "prompt_tokens", "cached_tokens", "completion_tokens", "reasoning_tokens")


def cost_object(row: Found) -> dict[str, Any]:
    """Return the object that `costs --json` prints for a row; the total has neither persona_id nor model."""
    shown = {**row, "cost_dollars": float(row["cost_dollars"])}
    return {name: value for name, value in shown.items() if value is not None}


_COLUMNS = (
    Column("persona", "id"),
    Column("model", "id"),
    Column("calls", "number"),
    Column("prompt tokens", "number"),
    Column("cached tokens", "number", minor=1),
    Column("completion tokens", "number"),
    Column("reasoning tokens", "number", minor=1),
    Column("cost", "number"),
    Column("of unknown price", "number", minor=2),
)


def cost_table(rows: Sequence[Found]) -> Table:
    """Return the table that `costs` prints; the last row is the total."""
    cells = [
        (
            row["persona_id"] or "total",
            row["model"] or "",
            *(count(row[name]) for name in _COUNTS),
            dollars(row["cost_dollars"], "{:,.6f}"),
            f"{row['unpriced_calls']:,} calls",
        )
        for row in rows
    ]
    return Table(_COLUMNS, cells, title="Costs of model calls", parts={len(rows) - 1})
