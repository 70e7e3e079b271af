"""The cost report: what the model calls of each persona cost, by model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.table import Table
from rich.text import Text

from sinks.postgres.queries import Found

_COLUMNS = ("calls", "prompt_tokens", "cached_tokens", "completion_tokens", "reasoning_tokens")


def cost_object(row: Found) -> dict[str, Any]:
    """Return the object that `costs --json` prints for a row; the total has neither persona_id nor model."""
    shown = {**row, "cost_dollars": float(row["cost_dollars"])}
    return {name: value for name, value in shown.items() if value is not None}


def cost_table(rows: Sequence[Found]) -> Table:
    """Return the table that `costs` prints; the last row is the total."""
    table = Table("persona", "model", title="Costs of model calls", show_footer=False)
    for name in (*_COLUMNS, "cost", "of unknown price"):
        table.add_column(name.replace("_", " "), justify="right")
    for row in rows:
        is_total = row["persona_id"] is None
        if is_total:
            table.add_section()
        table.add_row(
            "total" if is_total else Text(row["persona_id"]),
            "" if is_total else Text(row["model"]),
            *(f"{row[name]:,}" for name in _COLUMNS),
            f"${row['cost_dollars']:,.6f}",
            f"{row['unpriced_calls']:,} calls",
        )
    return table
