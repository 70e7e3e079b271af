"""The draft report: every draft with its decision, its score and why."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.table import Table
from rich.text import Text

from sinks.postgres.queries import Found

DECIDED = frozenset({"accepted", "rejected"})
TEXT_WIDTH = 60
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


def draft_table(rows: Sequence[Found]) -> Table:
    """Return the table that `drafts` prints."""
    table = Table("draft", "persona", "status", "score", "why", "model", "text", title=f"{len(rows):,} drafts")
    for row in rows:
        score = "-" if row["score"] is None else f"{row['score']:.2f} of {row['threshold']:.2f}"
        text = row["text"] if len(row["text"]) <= TEXT_WIDTH else row["text"][: TEXT_WIDTH - 1] + "…"
        table.add_row(
            Text(row["draft_id"]),
            Text(row["persona_id"]),
            row["status"],
            score,
            Text("; ".join([*row["reasons"], *_resemblance(row)])),
            Text(row["model"]),
            Text(text),
        )
    return table


def _resemblance(row: Found) -> list[str]:
    if row["near_duplicate_id"] is None:
        return []
    return [f"resembles {row['near_duplicate_id']} by {row['near_duplicate_similarity']:.3f}"]
