"""The row codec refuses what is no record of its topic, and reads records of older and newer writers."""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import fastavro
import pytest

from schemas.catalogue import topic_named
from schemas.codec.rows import RowCodec
from schemas.codec.wire_format import header
from schemas.definitions import AvroSchema, definition
from schemas.errors import DecodeFault, EncodeFault
from schemas.records import EngagementEvent, PersonaRequest
from schemas.registries.file_registry import FileRegistry
from schemas.registries.known_writers import KnownWriters
from schemas.registries.sparing_registry import UNKNOWN_ID_TTL_S

TOPIC = topic_named("engagement.events")
EVENT = EngagementEvent(event_id="e", occurred_at=datetime(2026, 11, 22, 9, tzinfo=UTC), persona_id="ada", kind="like")
CODEC = RowCodec(FileRegistry())
VALUE = CODEC.encode(TOPIC, EVENT)


def _framed(schema_id: int, schema: AvroSchema, values: dict[str, Any]) -> bytes:
    body = io.BytesIO()
    fastavro.schemaless_writer(body, fastavro.parse_schema(schema), values)
    return header(schema_id) + body.getvalue()


def test_a_value_framed_by_hand_is_decoded() -> None:
    moment = b"\x80\xda\xde\xa7\xc0\x68"  # 1795338000000 ms, zigzag
    by_hand = b"\x00\x00\x00\x00\x07\x02e" + moment + b"\x06ada\x00\x00\x02\x02\x0eunknown\x00"
    assert CODEC.decode(TOPIC, by_hand) == EVENT  # of the first version, without a basis
    by_hand = b"\x00\x00\x00\x00\x15" + by_hand[5:] + b"\x00"
    assert CODEC.decode(TOPIC, by_hand) == EVENT  # of the second, with one
    by_hand = b"\x00\x00\x00\x00\x26" + by_hand[5:] + b"\x00"
    assert CODEC.decode(TOPIC, by_hand) == EVENT
    assert by_hand == VALUE


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (None, "got none"),
        (b"", "magic byte 0x00.*got 0 bytes"),
        (b'{"a": 1}', "magic byte 0x00.*got 8 bytes starting 7b 22"),
        (b"\x00\x00\x07", "got 3 bytes"),
        (header(4711) + VALUE[5:], "got id 4711, which is not registered"),
        (header(2) + VALUE[5:], "got id 2, which is PersonaRequest of persona.requests-value"),
        (VALUE[:5], "expected a body of EngagementEvent"),
        (VALUE[:-3], "expected a body of EngagementEvent"),
        (VALUE + b"!", "1 bytes are left over"),
        (header(7) + b"\xff" * 40, "expected a body of EngagementEvent"),
    ],
)
def test_a_value_that_is_no_record_of_the_topic_is_a_fault_that_says_what_came(value: bytes, reason: str) -> None:
    with pytest.raises(DecodeFault, match=reason):
        CODEC.decode(TOPIC, value)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"kind": "clap"}, "'clap'"),
        ({"count": "many"}, "count"),
        ({"count": 2**63}, "too large"),
        ({"event_id": None}, "event_id"),
        ({"occurred_at": datetime(2026, 11, 22)}, "time zone"),  # noqa: DTZ001 - what is tested
    ],
)
def test_a_record_that_does_not_fit_its_schema_is_not_encoded(change: dict[str, Any], reason: str) -> None:
    with pytest.raises(EncodeFault, match=reason):
        CODEC.encode(TOPIC, replace(EVENT, **change))


def test_a_record_of_another_class_is_not_encoded() -> None:
    request = PersonaRequest(event_id="r", occurred_at=EVENT.occurred_at, persona_id="ada", brief="b")
    with pytest.raises(EncodeFault, match="takes EngagementEvent, got PersonaRequest"):
        CODEC.encode(TOPIC, request)


def test_fields_of_a_newer_writer_are_dropped_and_missing_ones_take_their_default(tmp_path: Path) -> None:
    registry = FileRegistry(tmp_path)
    fields = definition("EngagementEvent")["fields"]
    newer = {
        **definition("EngagementEvent"),
        "fields": [*fields[:-1], {"name": "note", "type": "string", "default": ""}],
    }
    schema_id = registry.register(TOPIC.subject, newer)
    value = _framed(
        schema_id,
        newer,
        {"event_id": "e", "occurred_at": EVENT.occurred_at, "persona_id": "ada", "kind": "like", "note": "hi"},
    )
    assert RowCodec(registry).decode(TOPIC, value) == EVENT


def test_an_unknown_id_is_asked_for_once_in_a_while(tmp_path: Path) -> None:
    registry = FileRegistry(tmp_path)
    now = [0.0]
    writers = KnownWriters(registry, clock=lambda: now[0])
    newer = {**definition("EngagementEvent"), "doc": "newer"}
    with pytest.raises(DecodeFault, match="id 100001, which is not registered"):
        writers.writer(TOPIC, 100_001)
    assert registry.register(TOPIC.subject, newer) == 100_001
    with pytest.raises(DecodeFault, match="id 100001"):
        writers.writer(TOPIC, 100_001)
    now[0] = UNKNOWN_ID_TTL_S
    assert writers.writer(TOPIC, 100_001).schema == newer
