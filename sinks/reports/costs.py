"""The cost reports: what the model calls of each persona cost, by model, and what measures have saved."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from sinks.reports.ratios import dollars
from streams.cli.table import Cell, Column, Shown, Table, count

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


_PARTS = ("calls", "prompt_tokens", "completion_tokens", "saved_micros", "unknown_calls", "share")


def savings_object(rows: Sequence[Found]) -> dict[str, Any]:
    """Return the object that `costs --saved --json` prints; money is in micro-dollars, `share` is of the bill without.

    `unknown_calls` are those whose saving is unknown because a price is: they are in no sum.
    """
    *measures, total = rows
    return {
        "by_measure": [{"measure": row["measure"], **_parts(row)} for row in measures],
        "total": _parts(total),
        "bill_micros": total["bill_micros"],
        "bill_unpriced_calls": total["unpriced_calls"],
        "bill_without_micros": total["bill_without_micros"],
    }


def _parts(row: Found) -> dict[str, Any]:
    return {name: row[name] for name in _PARTS}


_SAVING_COLUMNS = (
    Column("measure"),
    Column("calls", "number"),
    Column("prompt tokens saved", "number"),
    Column("completion tokens saved", "number"),
    Column("saved", "number"),
    Column("share of the bill without", "number"),
    Column("saving unknown", "number", minor=1),
)


def savings_table(rows: Sequence[Found]) -> Table:
    """Return the table that `costs --saved` prints; the last row is the total."""
    total = rows[-1]
    return Table(
        _SAVING_COLUMNS,
        [_saving_cells(row) for row in rows],
        title="Savings on model calls",
        note=f"The bill is {_dollars(total['bill_micros']).full}; without these measures it would have been "
        f"{_dollars(total['bill_without_micros']).full}, as far as prices are known.",
        parts={len(rows) - 1},
    )


def _saving_cells(row: Found) -> Sequence[Cell]:
    return (
        row["measure"] or "total",
        *(count(row[name]) for name in ("calls", "prompt_tokens", "completion_tokens")),
        "unknown" if row["calls"] and row["unknown_calls"] == row["calls"] else _dollars(row["saved_micros"]),
        "" if row["share"] is None else f"{100 * row['share']:.1f} %",
        f"{row['unknown_calls']:,} calls",
    )


def _dollars(micros: int) -> Shown:
    return dollars(micros / 1_000_000, "{:,.6f}")
