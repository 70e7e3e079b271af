"""The report on requests and the trace of one, on the real server: everything that came of a request is in it once."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol
from uuid import uuid4

import polars as pl
import psycopg
import pytest
from click.testing import CliRunner
from psycopg.conninfo import make_conninfo

from schemas.records import DeadLetter, DraftDecided, DraftGenerated, GenerationStep, PersonaRequest, Record
from sinks.postgres.commands import drafts
from sinks.postgres.request_trace import NoSuchRequest
from sinks.postgres.sink import PostgresSink
from streams.engine.batch import Batch, ColumnBatch, Row, RowBatch, TopicPartition
from streams.settings import current_settings
from tests.drafting import NOW, draft, passing_quality, request

STEPS = (
    GenerationStep(name="gather", outcome="ok"),
    GenerationStep(
        name="hooks", outcome="ok", model="gpt", latency_ms=900, prompt_tokens=80, completion_tokens=9, cost_micros=70
    ),
    GenerationStep(name="guard", outcome="open template slot {name}"),
)


class Servers(Protocol):
    """The part of the session's stack that is used here."""

    postgres_dsn: str


@pytest.fixture
def dsn(stack: Servers, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A database of the test's own, as this process's setting, with what came of five requests."""
    name = f"drafting_{uuid4().hex}"
    with psycopg.connect(stack.postgres_dsn, autocommit=True) as server:
        server.execute(f"CREATE DATABASE {name}".encode())
        dsn = make_conninfo(stack.postgres_dsn, dbname=name)
        asyncio.run(load(dsn))
        monkeypatch.setenv("THREADS_POSTGRES_DSN", dsn)
        current_settings.cache_clear()
        yield dsn
        current_settings.cache_clear()
        server.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


def batch(topic: str, records: Sequence[Record]) -> RowBatch:
    return RowBatch(TopicPartition(topic, 0), [Row(offset, record) for offset, record in enumerate(records)])


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


def decided(of: DraftGenerated, *reasons: str) -> DraftDecided:
    return DraftDecided(
        event_id=f"{of.draft_id}-decided",
        occurred_at=NOW,
        persona_id=of.persona_id,
        draft=of,
        quality=passing_quality(),
        decision="rejected" if reasons else "accepted",
        reasons=reasons,
        embedding_model="ngram",
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


def calls() -> ColumnBatch:
    """Two calls of r0, of which one has no known price, and three of r3, which came to nothing."""
    frame = pl.DataFrame(
        {
            "event_id": [f"c{number}" for number in range(5)],
            "occurred_at": 1_772_366_400_000,
            "persona_id": ["nova", "nova", "rex", "rex", "rex"],
            "causation_id": pl.Series([None] * 5, dtype=pl.String),
            "request_id": ["r0", "r0", "r3", "r3", "r3"],
            "step": ["hook", "body", "hook", "hook", "hook"],
            "model": "gpt",
            "prompt_tokens": [100, 10, 1, 1, 1],
            "cached_tokens": 0,
            "completion_tokens": 5,
            "reasoning_tokens": 0,
            "cost_micros": [1_001, None, 7, 7, 7],
            "latency_ms": 1,
            "offset": range(5),
        }
    )
    return ColumnBatch(TopicPartition("cost.events", 0), frame)


async def load(dsn: str) -> None:
    first, second, third = written(0, "nova", 1_000, 2), written(1, "nova", 3_000), written(2, "rex", 2_000)
    requests = [asked(f"r{number}", "nova" if number < 2 else "rex", hours_ago=number) for number in range(5)]
    nothing = "0 drafts were written and sent on, 1 could not be: draft 1: hook: no usable answer in 3 attempts (x | y)"
    batches: list[Batch] = [
        batch("persona.requests", requests),
        batch("drafts.generated", [first, second, third]),
        batch("drafts.accepted", [decided(first)]),
        batch("drafts.rejected", [decided(second, "duplicate: the same text as draft d0 of persona nova")]),
        batch("dead.letters", [dead_letter(3, nothing)]),
        calls(),
    ]
    sink = PostgresSink(dsn, 20)
    await sink.open()
    try:
        for each in batches:
            assert not await sink.add(each)
        await sink.flush()
    finally:
        await sink.close()


def printed(*arguments: str) -> str:
    result = CliRunner().invoke(drafts, arguments, catch_exceptions=False, env={"COLUMNS": "250"})
    assert result.exit_code == 0, result.output
    return result.stdout


def parsed(*arguments: str) -> Any:
    return json.loads(printed(*arguments, "--json"))


def test_every_request_is_decided_dead_lettered_or_open_and_the_total_is_the_sum(dsn: str) -> None:
    found = parsed("report")
    states = ("requests", "requests_decided", "requests_dead_lettered", "requests_open")
    assert [each["persona_id"] for each in found["by_persona"]] == ["nova", "rex"]
    assert [[each[name] for name in states] for each in found["by_persona"]] == [[2, 2, 0, 0], [3, 0, 1, 2]]
    total = found["total"]
    assert [total[name] for name in states] == [5, 2, 1, 2]
    assert [total[name] for name in ("drafts", "accepted", "rejected", "undecided", "revised")] == [3, 1, 1, 1, 1]
    assert (total["seconds_mean"], total["seconds_p95"]) == (2.0, pytest.approx(2.9))
    assert found["rejected_by_reason"] == {"duplicate": 1}
    assert found["dead_letters_by_reason"] == {"hook: no usable answer in 3 attempts": 1}


def test_calls_that_came_to_nothing_are_in_the_bill_and_those_without_a_price_are_counted(dsn: str) -> None:
    total = parsed("report")["total"]
    names = ("calls", "prompt_tokens", "completion_tokens", "cost_micros", "unpriced_calls")
    assert [total[name] for name in names] == [5, 113, 25, 1_022, 1]


def test_the_report_can_be_narrowed_to_a_persona_and_to_late_requests(dsn: str) -> None:
    assert parsed("report", "--persona", "rex")["total"]["requests"] == 3
    since = (NOW - timedelta(hours=1)).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S")
    assert parsed("report", "--since", since)["total"]["requests"] == 2
    assert "no such requests" in printed("report", "--since", "2030-01-01")


def test_the_printed_report_says_why(dsn: str) -> None:
    shown = printed("report")
    assert "$0.001022 + 1 of unknown price" in shown
    assert "rejected: 1 x duplicate" in shown
    assert "dead letter: 1 x hook: no usable answer in 3 attempts" in shown


@pytest.mark.parametrize("identity", ["r0", "d0"])
def test_a_trace_has_the_request_every_step_the_score_the_decision_and_the_costs(dsn: str, identity: str) -> None:
    trace = parsed("trace", identity)
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
    shown = printed("trace", identity)
    assert "open template slot {name}" in shown
    assert "accepted" in shown


def test_a_trace_of_what_came_to_nothing_has_its_dead_letter_and_what_it_cost(dsn: str) -> None:
    trace = parsed("trace", "r3")
    assert trace["drafts"] == []
    assert ["no usable answer in 3 attempts" in each["reason"] for each in trace["dead_letters"]] == [True]
    assert trace["total"]["cost_micros"] == 21
    assert "dead letter of generate at persona.requests" in printed("trace", "r3")


def test_an_unknown_id_is_refused_with_where_to_look(dsn: str) -> None:
    with pytest.raises(NoSuchRequest, match="no request or draft has the id 'nobody'"):
        printed("trace", "nobody")


def test_options_before_a_subcommand_are_refused(dsn: str) -> None:
    result = CliRunner().invoke(drafts, ["--json", "report"])
    assert result.exit_code == 2
    assert "options go behind report" in result.output


def test_times_are_utc(dsn: str) -> None:
    assert datetime.fromisoformat(parsed("trace", "r0")["request"]["occurred_at"]) == NOW
