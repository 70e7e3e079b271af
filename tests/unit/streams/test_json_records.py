"""JSON lines become records, or one clear fault."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from schemas.records import DeadLetter, EngagementEvent, KpiUpdate, PersonaRequest, Record
from streams.errors import RecordFault
from streams.json_records import parse_record, render_record

LIKE: dict[str, Any] = {"persona_id": "ada", "kind": "like"}


def test_a_missing_id_is_made_up_and_a_missing_moment_is_now() -> None:
    first, second = (parse_record(EngagementEvent, json.dumps(LIKE)) for _ in range(2))
    assert isinstance(first, EngagementEvent)
    assert isinstance(second, EngagementEvent)
    assert first.event_id != second.event_id
    assert abs(first.occurred_at - datetime.now(UTC)) < timedelta(minutes=1)


@pytest.mark.parametrize(
    "written",
    ["2026-11-22T09:00:00Z", "2026-11-22T10:00:00+01:00", "2026-11-22T09:00", "2026-11-22 09:00:00", 1795338000000],
)
def test_moments_are_iso_8601_or_epoch_milliseconds(written: object) -> None:
    record = parse_record(EngagementEvent, json.dumps({**LIKE, "occurred_at": written}))
    assert isinstance(record, EngagementEvent)
    assert record.occurred_at == datetime(2026, 11, 22, 9, tzinfo=UTC)


@pytest.mark.parametrize(
    ("kind", "line", "reason"),
    [
        (EngagementEvent, "{", "expected a JSON object, got '{'"),
        (EngagementEvent, "[1]", "expected a JSON object"),
        (EngagementEvent, '{"kind": "like"}', "EngagementEvent lacks persona_id"),
        (EngagementEvent, '{"person_id": "a", "kind": "like"}', "'person_id'.*did you mean 'persona_id'"),
        (EngagementEvent, '{"persona_id": "a", "kind": "likes"}', "'likes'.*did you mean 'like'"),
        (EngagementEvent, '{"persona_id": "a", "kind": ["like"]}', "kind"),
        (EngagementEvent, '{"persona_id": 7, "kind": "like"}', "persona_id: expected a text, got 7"),
        (EngagementEvent, '{"persona_id": "a", "kind": "like", "count": "3"}', "count: expected an integer, got '3'"),
        (EngagementEvent, '{"persona_id": "a", "kind": "like", "count": 1.5}', "count: expected an integer"),
        (EngagementEvent, '{"persona_id": "a", "kind": "like", "count": true}', "count: expected an integer"),
        (EngagementEvent, '{"persona_id": "a", "kind": "like", "simulated": 1}', "simulated: expected true or false"),
        (EngagementEvent, '{"persona_id": "a", "kind": "like", "occurred_at": "soon"}', "occurred_at: expected an ISO"),
        (EngagementEvent, '{"persona_id": "a", "kind": "like", "occurred_at": 1e30}', "occurred_at: expected an ISO"),
        (KpiUpdate, '{"persona_id": "a", "window": "1h", "window_end": 0, "engagement_rate": NaN}', "NaN"),
        (PersonaRequest, '{"persona_id": "a", "brief": null}', "brief: expected a text, got None"),
        (DeadLetter, '{"consumer": "k", "value": "not base64!"}', "DeadLetter lacks source_topic"),
    ],
)
def test_a_bad_line_gets_one_clear_reason(kind: type[Record], line: str, reason: str) -> None:
    with pytest.raises(RecordFault, match=reason):
        parse_record(kind, line)


def test_nested_records_and_lists_name_the_place_of_a_fault() -> None:
    letter = {
        "consumer": "kpis",
        "source_topic": "t",
        "source_partition": 0,
        "source_offset": 1,
        "source_timestamp": 0,
        "error_class": "E",
        "reason": "r",
        "headers": [{"name": "a", "value": "AAE="}, {"name": "b", "value": 5}],
    }
    with pytest.raises(RecordFault, match=r"headers\[1\]\.value: expected base64, got 5"):
        parse_record(DeadLetter, json.dumps(letter))
    letter["headers"] = [{"name": "a", "value": "AAE="}]
    record = parse_record(DeadLetter, json.dumps(letter))
    assert isinstance(record, DeadLetter)
    assert record.headers[0].value == b"\x00\x01"
    assert parse_record(DeadLetter, json.dumps(render_record(record))) == record
