"""The report on requests and the trace of one, on the real server: everything that came of a request is in it once."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from click.testing import CliRunner

from schemas.records import DeadLetter, DraftGenerated, GenerationStep, PersonaRequest
from sinks.reports.commands import drafts
from sinks.reports.request_trace import NoSuchRequest
from streams.engine.batch import ColumnBatch
from tests.support.drafting import NOW, decided, draft, request
from tests.support.postgres_tables import load
from tests.support.printed_commands import parsed, printed
from tests.support.sink_batches import columns, rows

STEPS = (
    GenerationStep(name="gather", outcome="ok"),
    GenerationStep(
        name="hooks", outcome="ok", model="gpt", latency_ms=900, prompt_tokens=80, completion_tokens=9, cost_micros=70
    ),
    GenerationStep(name="guard", outcome="open template slot {name}"),
)


def asked(event_id: str, persona_id: str, *, hours_ago: int = 0) -> PersonaRequest:
    made = request(event_id, persona_id=persona_id)
    return replace(made, occurred_at=NOW - timedelta(hours=hours_ago), trend="naps are in", deadline="tomorrow")


def written(number: int, persona_id: str, latency_ms: int, revisions: int = 0) -> DraftGenerated:
    made = draft(f"Hook {number}.", "A body.", draft_id=f"d{number}", persona_id=persona_id)
    return replace(
        made,
        request_id=f"r{number}",
        latency_ms=latency_ms,
        revisions=revisions,
        guard_reasons=("open template slot {name}",) * revisions,
        steps=STEPS,
    )


def dead_letter(offset: int, reason: str) -> DeadLetter:
    return DeadLetter(
        event_id=f"letter-{offset}",
        occurred_at=NOW,
        consumer="generate",
        source_topic="persona.requests",
        source_partition=0,
        source_offset=offset,
        source_timestamp=NOW,
        error_class="RecordFault",
        reason=reason,
    )


def bill() -> ColumnBatch:
    """Two calls of r0, of which one has no known price, and three of r3, which came to nothing."""
    return columns(
        "cost.events",
        {
            "event_id": [f"c{number}" for number in range(5)],
            "persona_id": ["nova", "nova", "rex", "rex", "rex"],
            "request_id": ["r0", "r0", "r3", "r3", "r3"],
            "step": ["hook", "body", "hook", "hook", "hook"],
            "model": "gpt",
            "prompt_tokens": [100, 10, 1, 1, 1],
            "cached_tokens": 0,
            "completion_tokens": 5,
            "reasoning_tokens": 0,
            "cost_micros": [1_001, None, 7, 7, 7],
            "latency_ms": 1,
        },
    )


@pytest.fixture(autouse=True)
def _five_requests(current_dsn: str) -> None:
    """What came of five requests, in a database that is this process's setting."""
    first, second, third = written(0, "nova", 1_000, 2), written(1, "nova", 3_000), written(2, "rex", 2_000)
    requests = [asked(f"r{number}", "nova" if number < 2 else "rex", hours_ago=number) for number in range(5)]
    nothing = "0 drafts were written and sent on, 1 could not be: draft 1: hook: no usable answer in 3 attempts (x | y)"
    load(
        current_dsn,
        rows("persona.requests", 0, requests),
        rows("drafts.generated", 0, [first, second, third]),
        rows("drafts.accepted", 0, [decided(first)]),
        rows("drafts.rejected", 0, [decided(second, "duplicate: the same text as draft d0 of persona nova")]),
        rows("dead.letters", 0, [dead_letter(3, nothing)]),
        bill(),
    )


def test_every_request_is_decided_dead_lettered_or_open_and_the_total_is_the_sum() -> None:
    found = parsed(drafts, "report")
    states = ("requests", "requests_decided", "requests_dead_lettered", "requests_open")
    assert [each["persona_id"] for each in found["by_persona"]] == ["nova", "rex"]
    assert [[each[name] for name in states] for each in found["by_persona"]] == [[2, 2, 0, 0], [3, 0, 1, 2]]
    total = found["total"]
    assert [total[name] for name in states] == [5, 2, 1, 2]
    assert [total[name] for name in ("drafts", "accepted", "rejected", "undecided", "revised")] == [3, 1, 1, 1, 1]
    assert (total["seconds_mean"], total["seconds_p95"]) == (2.0, pytest.approx(2.9))
    assert found["rejected_by_reason"] == {"duplicate": 1}
    assert found["dead_letters_by_reason"] == {"hook: no usable answer in 3 attempts": 1}


def test_calls_that_came_to_nothing_are_in_the_bill_and_those_without_a_price_are_counted() -> None:
    total = parsed(drafts, "report")["total"]
    names = ("calls", "prompt_tokens", "completion_tokens", "cost_micros", "unpriced_calls")
    assert [total[name] for name in names] == [5, 113, 25, 1_022, 1]


def test_the_report_can_be_narrowed_to_a_persona_and_to_late_requests() -> None:
    assert parsed(drafts, "report", "--persona", "rex")["total"]["requests"] == 3
    since = (NOW - timedelta(hours=1)).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S")
    assert parsed(drafts, "report", "--since", since)["total"]["requests"] == 2
    assert "no such requests" in printed(drafts, "report", "--since", "2030-01-01")


def test_the_printed_report_says_why() -> None:
    shown = printed(drafts, "report")
    assert "$0.001022 + 1 of unknown price" in shown
    assert "rejected: 1 x duplicate" in shown
    assert "dead letter: 1 x hook: no usable answer in 3 attempts" in shown


@pytest.mark.parametrize("identity", ["r0", "d0"])
def test_a_trace_has_the_request_every_step_the_score_the_decision_and_the_costs(identity: str) -> None:
    trace = parsed(drafts, "trace", identity)
    assert (trace["request"]["trend"], trace["request"]["deadline"]) == ("naps are in", "tomorrow")
    (made,) = trace["drafts"]
    assert [(step["name"], step["outcome"], step["cost_micros"]) for step in made["steps"]] == [
        (step.name, step.outcome, step.cost_micros) for step in STEPS
    ]
    assert (made["status"], made["revisions"], len(made["guard_reasons"])) == ("accepted", 2, 2)
    assert [call["step"] for call in trace["calls"]] == ["hook", "body"]
    assert trace["total"] == {
        "calls": 2,
        "prompt_tokens": 110,
        "completion_tokens": 10,
        "cost_micros": 1_001,
        "unpriced_calls": 1,
    }
    shown = printed(drafts, "trace", identity)
    assert "open template slot {name}" in shown
    assert "accepted" in shown


def test_a_trace_of_what_came_to_nothing_has_its_dead_letter_and_what_it_cost() -> None:
    trace = parsed(drafts, "trace", "r3")
    assert trace["drafts"] == []
    assert ["no usable answer in 3 attempts" in each["reason"] for each in trace["dead_letters"]] == [True]
    assert trace["total"]["cost_micros"] == 21
    assert "dead letter of generate at persona.requests" in printed(drafts, "trace", "r3")


def test_an_unknown_id_is_refused_with_where_to_look() -> None:
    with pytest.raises(NoSuchRequest, match="no request or draft has the id 'nobody'"):
        printed(drafts, "trace", "nobody")


def test_options_before_a_subcommand_are_refused() -> None:
    result = CliRunner().invoke(drafts, ["--json", "report"])
    assert result.exit_code == 2
    assert "options go behind report" in result.output


def test_times_are_utc() -> None:
    assert datetime.fromisoformat(parsed(drafts, "trace", "r0")["request"]["occurred_at"]) == NOW
