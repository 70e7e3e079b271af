"""The draft reports: every draft with its decision, its score and why, and what came of requests."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from streams.cli.table import Cell, Column, Shown, Table, count

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
    "content_digest",
)
_REVIEW = {
    "review_id": "event_id",
    "review_revision": "revision",
    "review_decision": "decision",
    "review_reason": "reason",
    "reviewed_by": "reviewed_by",
    "reviewed_at": "reviewed_at",
}
_REQUESTS = ("requests", "requests_decided", "requests_dead_lettered", "requests_open")
_DRAFTS = ("drafts_asked", "drafts", "accepted", "rejected", "undecided", "revised")
_CALLS = ("calls", "prompt_tokens", "completion_tokens", "cost_micros", "unpriced_calls")
_OUTCOMES = {
    "requests": "asked",
    "requests_decided": "decided",
    "requests_dead_lettered": "dead",
    "requests_open": "open",
    "accepted": "accepted",
    "rejected": "rejected",
    "revised": "revised",
}


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
        "review": review_object(row),
    }


def review_object(row: Found) -> dict[str, Any] | None:
    """Return the review by hand that stands of a draft's present text, None where there is none."""
    if row["review_id"] is None:
        return None
    return {
        **{shown: row[name] for name, shown in _REVIEW.items()},
        "reviewed_at": row["reviewed_at"].isoformat(timespec="milliseconds"),
    }


def without_review(row: Found) -> Found:
    """Return a row without the columns that `review_object` is made of."""
    return {name: value for name, value in row.items() if name not in _REVIEW}


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
        row["status"] if row["review_id"] is None else f"{row['status']}, {row['review_decision']} by hand",
        "-" if row["score"] is None else Shown(f"{row['score']:.2f} of {row['threshold']:.2f}", f"{row['score']:.2f}"),
        "; ".join([*row["reasons"], *_resemblance(row)]),
        row["model"],
        row["text"],
    )


def _resemblance(row: Found) -> list[str]:
    if row["near_duplicate_id"] is None:
        return []
    return [f"resembles {row['near_duplicate_id']} by {row['near_duplicate_similarity']:.3f}"]


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


def outcomes_table(totals: Sequence[Found]) -> Table:
    """Return the table of requests (asked, decided, dead-lettered, open) and of drafts; the last row is the total."""
    columns = [Column(heading, "number") for heading in _OUTCOMES.values()]
    return _table("What came of requests and drafts", columns, totals, _outcomes)


def expense_table(totals: Sequence[Found]) -> Table:
    """Return the table of seconds (mean and 95th percentile of a draft's calls), tokens and cost."""
    columns = [Column(heading, "number") for heading in ("calls", "s mean", "s p95", "tokens in", "tokens out", "cost")]
    return _table("What they took", columns, totals, _expense)


def _table(
    title: str, columns: Sequence[Column], totals: Sequence[Found], cells: Callable[[Found], Iterable[Cell]]
) -> Table:
    rows = [("total" if row["persona_id"] is None else row["persona_id"], *cells(row)) for row in totals]
    return Table([Column("persona", "id"), *columns], rows, title=title, parts={len(rows) - 1})


def _outcomes(row: Found) -> Iterator[Cell]:
    for name in _OUTCOMES:
        yield count(row[name])


def _expense(row: Found) -> Iterator[Cell]:
    yield count(row["calls"])
    for name in ("seconds_mean", "seconds_p95"):
        yield "-" if row[name] is None else f"{row[name]:.2f}"
    yield count(row["prompt_tokens"])
    yield count(row["completion_tokens"])
    unknown = f" + {row['unpriced_calls']:,} of unknown price" if row["unpriced_calls"] else ""
    yield f"${row['cost_micros'] / 1_000_000:,.6f}{unknown}"


def why_lines(why: Sequence[Found]) -> list[str]:
    """Return a line for each reason, the most frequent of each outcome first."""
    return [f"{row['outcome']}: {row['count']:,} x {row['reason']}" for row in why]
