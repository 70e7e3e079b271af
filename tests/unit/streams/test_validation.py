"""Rows and columns are held to the same rules."""

from __future__ import annotations

import sys
from dataclasses import fields, replace
from datetime import UTC, datetime
from typing import Any

import pytest

from schemas.catalogue import CATALOGUE, topic_named
from schemas.codec.columns import ColumnCodec
from schemas.codec.rows import RowCodec
from schemas.record_rules import RULES
from schemas.records import CostEvent, EngagementEvent, PersonaRequest, PostPublished, Record, RevenueEvent
from schemas.registries.file_registry import FileRegistry
from streams.errors import RecordFault
from streams.validation import invalid_rows, validate

AT = datetime(2026, 11, 22, tzinfo=UTC)
COST = CostEvent(
    event_id="c", occurred_at=AT, persona_id="ada", step="hook", model="m", prompt_tokens=9, completion_tokens=4
)
EXAMPLES: dict[str, Record] = {
    "engagement.events": EngagementEvent(event_id="e", occurred_at=AT, persona_id="ada", kind="like"),
    "cost.events": COST,
    "revenue.events": RevenueEvent(event_id="r", occurred_at=AT, persona_id="ada", kind="sale", amount_micros=1),
    "posts.published": PostPublished(event_id="p", occurred_at=AT, persona_id="ada", post_id="1", text=""),
}
BROKEN = [
    ("engagement.events", {"event_id": " "}, "event_id must not be blank, got ' '"),
    ("engagement.events", {"persona_id": ""}, "persona_id must not be blank"),
    ("engagement.events", {"count": -1}, "count must be at least 0 unless kind is follower_change, got -1"),
    ("engagement.events", {"basis": "event", "count": -1}, "count must be at least 0"),
    ("engagement.events", {"basis": "total", "count": -(2**62)}, "count must be at least -1000000000000"),
    ("engagement.events", {"occurred_at": datetime(1969, 12, 31, tzinfo=UTC)}, "occurred_at must lie between 1970"),
    ("cost.events", {"prompt_tokens": -1, "cached_tokens": -1}, "prompt_tokens must be at least 0"),
    ("cost.events", {"cached_tokens": 10}, "cached_tokens must not be above prompt_tokens"),
    ("cost.events", {"reasoning_tokens": 5}, "reasoning_tokens must not be above completion_tokens"),
    ("cost.events", {"cost_micros": -1}, "cost_micros must be at least 0"),
    ("cost.events", {"model": "\t"}, "model must not be blank"),
    ("engagement.events", {"count": 2**62}, "count must be at most 1,000,000,000,000, got"),
    ("revenue.events", {"amount_micros": 2**62}, "amount_micros must be at most 1,000,000,000,000, got"),
    ("revenue.events", {"amount_micros": -5}, "amount_micros must be at least 0, got -5"),
    ("posts.published", {"post_id": ""}, "post_id must not be blank"),
]
FINE = [
    ("engagement.events", {"kind": "follower_change", "count": -3}),
    ("engagement.events", {"count": 0}),
    ("engagement.events", {"basis": "total", "count": -3}),
    ("engagement.events", {"basis": "correction", "count": -3}),
    ("engagement.events", {"basis": "total", "kind": "follower_change", "count": -3}),
    ("cost.events", {"cost_micros": None, "cached_tokens": 9}),
]


def _frame_faults(topic_name: str, records: list[Record]) -> list[tuple[int, str]]:
    topic = topic_named(topic_name)
    registry = FileRegistry()
    values = [RowCodec(registry).encode(topic, record) for record in records]
    return invalid_rows(topic, ColumnCodec(registry).decode(topic, values).frame)


@pytest.mark.parametrize(("topic_name", "change", "reason"), BROKEN)
def test_a_broken_rule_is_found_in_rows_and_in_columns(topic_name: str, change: dict[str, Any], reason: str) -> None:
    good = EXAMPLES[topic_name]
    bad = replace(good, **change)
    with pytest.raises(RecordFault) as fault:
        validate(bad)
    assert reason in str(fault.value)
    ((row, column_reason),) = _frame_faults(topic_name, [good, bad, good])
    assert row == 1
    assert reason.partition(", got")[0] in column_reason


def test_the_same_characters_are_blank_in_rows_and_in_columns() -> None:
    spaces = [each for each in map(chr, range(sys.maxunicode + 1)) if each.isspace()]
    changes: list[dict[str, Any]] = [{"event_id": each} for each in spaces]
    records = [replace(EXAMPLES["engagement.events"], **change) for change in changes]
    found = [row for row, _ in _frame_faults("engagement.events", records)]
    assert found == [number for number, record in enumerate(records) if _is_broken(record)]
    assert {" ", "\t", "\x85", "\u3000"} <= {spaces[row] for row in found}


def _is_broken(record: Record) -> bool:
    try:
        validate(record)
    except RecordFault:
        return True
    return False


@pytest.mark.parametrize(("topic_name", "change"), FINE)
def test_what_keeps_the_rules_passes(topic_name: str, change: dict[str, Any]) -> None:
    record = replace(EXAMPLES[topic_name], **change)
    validate(record)
    assert _frame_faults(topic_name, [record]) == []


def test_a_moment_no_calendar_holds_is_found_in_columns() -> None:
    topic = topic_named("engagement.events")
    registry = FileRegistry()
    value = RowCodec(registry).encode(topic, EXAMPLES[topic.name])
    frame = ColumnCodec(registry).decode(topic, [value]).frame
    later = frame.with_columns(occurred_at=frame["occurred_at"] * 1_000_000)
    assert [row for row, _ in invalid_rows(topic, later)] == [0]


@pytest.mark.parametrize("change", [{"brief": "  "}, {"draft_count": 0}, {"draft_count": 101}])
def test_a_request_needs_a_brief_and_a_sensible_number_of_drafts(change: dict[str, Any]) -> None:
    request = PersonaRequest(event_id="r", occurred_at=AT, persona_id="ada", brief="Write")
    validate(request)
    with pytest.raises(RecordFault, match=next(iter(change))):
        validate(replace(request, **change))


def test_every_record_has_rules_about_fields_it_has() -> None:
    for topic in CATALOGUE:
        names = {field.name for field in fields(topic.record)}
        assert {rule.field for rule in RULES[topic.record.schema_name]} <= names
