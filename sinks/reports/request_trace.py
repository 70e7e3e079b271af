"""The trace of a request: all that came of it in one view, from the request to decisions, dead letters and costs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sinks.reports.drafts import review_object, without_review
from sinks.reports.queries import Found, report
from streams.cli.table import Cell, Column, Table, count
from streams.errors import ThreadsError
from streams.settings import Settings

_FILE = "drafting.sql"


class NoSuchRequest(ThreadsError):
    """Neither a request nor a draft in PostgreSQL has this id."""


@dataclass(frozen=True, slots=True)
class RequestTrace:
    """A request with its drafts (steps and features in them), the calls booked for it, and its dead letters."""

    request: Found
    drafts: Sequence[Found]
    calls: Sequence[Found]
    letters: Sequence[Found]


def request_trace(settings: Settings, identity: str) -> RequestTrace:
    """Read the trace of a request by its id, or by that of one of its drafts.

    Raises:
        NoSuchRequest, NoTables, Unavailable: see queries.report.
    """
    found = report(settings, "request", {"id": identity}, file=_FILE)
    if not found:
        raise NoSuchRequest(
            f"no request or draft has the id {identity!r}: `threads-agent drafts --json` lists those of drafts; "
            "one sent just now needs sink-postgres to run"
        )
    of = {"id": found[0]["event_id"]}
    drafts, calls, letters = (report(settings, name, of, file=_FILE) for name in ("drafts", "calls", "letters"))
    return RequestTrace(found[0], drafts, calls, letters)


def trace_object(trace: RequestTrace) -> dict[str, Any]:
    """Return the object that `drafts trace --json` prints: the rows as they are, times in ISO 8601."""
    return {
        "request": _plain(trace.request),
        "drafts": [_plain(without_review(row)) | {"review": review_object(row)} for row in trace.drafts],
        "calls": [_plain(row) for row in trace.calls],
        "dead_letters": [_plain(row) for row in trace.letters],
        "total": _total(trace.calls),
    }


def _plain(row: Found) -> Found:
    return {
        name: value.isoformat(timespec="milliseconds") if isinstance(value, datetime) else value
        for name, value in row.items()
    }


def _total(calls: Sequence[Found]) -> dict[str, int]:
    return {
        "calls": len(calls),
        "prompt_tokens": sum(row["prompt_tokens"] for row in calls),
        "completion_tokens": sum(row["completion_tokens"] for row in calls),
        "cost_micros": sum(row["cost_micros"] or 0 for row in calls),
        "unpriced_calls": sum(row["cost_micros"] is None for row in calls),
    }


def trace_view(trace: RequestTrace) -> Iterator[str | Table]:
    """Yield what `drafts trace` prints, top to bottom."""
    asked = trace.request
    yield f"request {asked['event_id']} of {asked['persona_id']} at {asked['occurred_at']:%Y-%m-%d %H:%M:%S} UTC"
    yield f"  {asked['draft_count']} drafts, deadline {asked['deadline']}, brief: {asked['brief'][:200]}"
    for draft in trace.drafts:
        yield _steps_table(draft)
        yield from _verdict(draft)
    for letter in trace.letters:
        yield f"dead letter of {letter['consumer']} at {letter['source_topic']}: {letter['reason']}"
    yield "{calls} calls, {prompt_tokens:,} + {completion_tokens:,} tokens, ".format(**_total(trace.calls)) + _cost(
        trace
    )


def _cost(trace: RequestTrace) -> str:
    total = _total(trace.calls)
    unknown = f" and {total['unpriced_calls']} calls of unknown price" if total["unpriced_calls"] else ""
    return f"${total['cost_micros'] / 1_000_000:,.6f}{unknown}"


_STEP_COLUMNS = (
    Column("step"),
    Column("outcome", "text"),
    Column("model", "id"),
    Column("ms", "number"),
    Column("tokens in", "number"),
    Column("tokens out", "number"),
    Column("micro-dollars", "number"),
)


def _steps_table(draft: Found) -> Table:
    return Table(_STEP_COLUMNS, [_step_cells(step) for step in draft["steps"]], title=f"draft {draft['draft_id']}")


def _step_cells(step: Found) -> Sequence[Cell]:
    cost = "unknown" if step["cost_micros"] is None else count(step["cost_micros"])
    spent = (count(step["prompt_tokens"]), count(step["completion_tokens"]), cost) if step["model"] else ("", "", "")
    return (step["name"], step["outcome"], step["model"] or "", count(step["latency_ms"]), *spent)


def _verdict(draft: Found) -> Iterator[str]:
    if draft["score"] is not None:
        yield f"  score {draft['score']:.3f} of {draft['threshold']:.2f}"
        for each in draft["features"]:
            yield f"    {each['name']} {each['value']:.2f} x {each['weight']:.2f}: {each['reason']}"
    yield f"  {draft['status']}" + "".join(f"; {reason}" for reason in draft["reasons"])
    if draft["review_id"] is not None:
        why = f": {draft['review_reason']}" if draft["review_reason"] else ""
        yield f"  {draft['review_decision']} by hand, by {draft['reviewed_by']}{why}"
