"""The drafting report: what came of requests, by persona and in total, and why some drafts came to nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from streams.cli.table import Cell, Column, Table, count

if TYPE_CHECKING:
    from sinks.reports.queries import Found

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
