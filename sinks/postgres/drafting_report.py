"""The drafting report: what came of requests, by persona and in total, and why some drafts came to nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.table import Table
from rich.text import Text

from sinks.postgres.queries import Found

_REQUESTS = ("requests", "requests_decided", "requests_dead_lettered", "requests_open")
_DRAFTS = ("drafts_asked", "drafts", "accepted", "rejected", "undecided", "revised")
_CALLS = ("calls", "prompt_tokens", "completion_tokens", "cost_micros", "unpriced_calls")
_HEADINGS = {
    "requests": "requests",
    "requests_decided": "decided",
    "requests_dead_lettered": "dead letters",
    "requests_open": "open",
    "drafts": "drafts",
    "accepted": "accepted",
    "revised": "revised",
    "rejected": "rejected",
}


def drafting_object(totals: Sequence[Found], why: Sequence[Found]) -> dict[str, Any]:
    """Return the object that `drafts report --json` prints; seconds are null where no draft was written."""
    *personas, total = totals
    return {
        "by_persona": [{"persona_id": row["persona_id"], **_parts(row)} for row in personas],
        "total": _parts(total),
        "rejected_by_reason": _counts(why, "rejected"),
        "dead_letters_by_reason": _counts(why, "dead letter"),
    }


def _parts(row: Found) -> dict[str, Any]:
    return {name: row[name] for name in (*_REQUESTS, *_DRAFTS, "seconds_mean", "seconds_p95", *_CALLS)}


def _counts(why: Sequence[Found], outcome: str) -> Mapping[str, int]:
    return {row["reason"]: row["count"] for row in why if row["outcome"] == outcome}


def drafting_table(totals: Sequence[Found]) -> Table:
    """Return the table that `drafts report` prints; the last row is the total."""
    table = Table("persona", title="What came of requests")
    for heading in (*_HEADINGS.values(), "s mean", "s p95", "tokens in", "tokens out", "cost"):
        table.add_column(heading, justify="right")
    for row in totals:
        if row["persona_id"] is None:
            table.add_section()
        table.add_row(
            "total" if row["persona_id"] is None else Text(row["persona_id"]),
            *(f"{row[name]:,}" for name in _HEADINGS),
            *("-" if row[name] is None else f"{row[name]:.2f}" for name in ("seconds_mean", "seconds_p95")),
            f"{row['prompt_tokens']:,}",
            f"{row['completion_tokens']:,}",
            f"${row['cost_micros'] / 1_000_000:,.6f}" + (" and unknown" if row["unpriced_calls"] else ""),
        )
    return table


def why_lines(why: Sequence[Found]) -> list[str]:
    """Return a line for each reason, the most frequent of each outcome first."""
    return [f"{row['outcome']}: {row['count']:,} x {row['reason']}" for row in why]
