"""The draft report: every draft with its decision, its score and why."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from streams.cli.table import Cell, Column, Shown, Table

if TYPE_CHECKING:
    from sinks.reports.queries import Found

DECIDED = frozenset({"accepted", "rejected"})
_AS_THEY_ARE = (
    "draft_id",
    "persona_id",
    "request_id",
    "status",
    "score",
    "threshold",
    "features",
    "reasons",
    "model",
    "prompt_tokens",
    "completion_tokens",
    "cost_micros",
    "latency_ms",
    "language",
    "text",
)


def draft_object(row: Found) -> dict[str, Any]:
    """Return the object that `drafts --json` prints for a row of drafts; `decision` is null until there is one."""
    near = row["near_duplicate_id"]
    return {
        **{name: row[name] for name in _AS_THEY_ARE},
        "decision": row["status"] if row["status"] in DECIDED else None,
        "near_duplicate": None if near is None else {"draft_id": near, "similarity": row["near_duplicate_similarity"]},
        "cost_dollars": None if row["cost_dollars"] is None else float(row["cost_dollars"]),
        "generated_at": row["generated_at"].isoformat(timespec="milliseconds"),
        "decided_at": None if row["decided_at"] is None else row["decided_at"].isoformat(timespec="milliseconds"),
    }


_COLUMNS = (
    Column("draft", "id"),
    Column("persona", "id"),
    Column("status"),
    Column("score", "number"),
    Column("why", "text"),
    Column("model", "id", minor=1),
    Column("text", "text", minor=1),
)


def draft_table(rows: Sequence[Found]) -> Table:
    """Return the table that `drafts` prints."""
    return Table(_COLUMNS, [_cells(row) for row in rows], title=f"{len(rows):,} drafts")


def _cells(row: Found) -> Sequence[Cell]:
    return (
        row["draft_id"],
        row["persona_id"],
        row["status"],
        "-" if row["score"] is None else Shown(f"{row['score']:.2f} of {row['threshold']:.2f}", f"{row['score']:.2f}"),
        "; ".join([*row["reasons"], *_resemblance(row)]),
        row["model"],
        row["text"],
    )


def _resemblance(row: Found) -> list[str]:
    if row["near_duplicate_id"] is None:
        return []
    return [f"resembles {row['near_duplicate_id']} by {row['near_duplicate_similarity']:.3f}"]
