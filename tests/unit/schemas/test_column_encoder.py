"""The column encoder: byte for byte what the row codec writes."""

from __future__ import annotations

import io
from dataclasses import fields
from datetime import UTC, datetime, timedelta

import fastavro
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.catalogue import topic_named
from schemas.codec.avro_layout import UnsupportedLayout
from schemas.codec.avro_primitives import encoded_long, encoded_longs, encoded_text
from schemas.codec.column_encoder import Column, ColumnEncoder, Constant
from schemas.codec.rows import RowCodec
from schemas.codec.wire_format import header
from schemas.definitions import definition
from schemas.errors import EncodeFault
from schemas.records import EngagementEvent
from schemas.registries.file_registry import FileRegistry

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
TOPIC = topic_named("engagement.events")
ENCODER = ColumnEncoder(definition("EngagementEvent"))
LONGS = st.integers(-(2**63), 2**63 - 1) | st.integers(-200, 200)
TEXTS = st.text()
EVENTS = st.builds(
    EngagementEvent,
    event_id=TEXTS,
    occurred_at=st.integers(0, 2**45).map(lambda ms: EPOCH + timedelta(milliseconds=ms)),
    persona_id=TEXTS,
    causation_id=st.none() | TEXTS,
    post_id=st.none() | TEXTS,
    kind=st.sampled_from(["view", "click", "follower_change"]),
    count=LONGS,
    source=TEXTS,
    simulated=st.booleans(),
    basis=st.sampled_from(["event", "total", "correction"]),
)
REQUIRED: dict[str, Column] = {"event_id": ["e"], "occurred_at": [0], "persona_id": ["p"], "kind": ["view"]}


@given(st.lists(EVENTS, min_size=1, max_size=20))
def test_columns_are_written_as_rows_are(events: list[EngagementEvent]) -> None:
    columns = {field.name: [getattr(event, field.name) for event in events] for field in fields(EngagementEvent)}
    columns["occurred_at"] = [(event.occurred_at - EPOCH) // timedelta(milliseconds=1) for event in events]
    rows = RowCodec(FileRegistry())
    assert ENCODER.encode(columns, header(38)) == [rows.encode(TOPIC, event) for event in events]


@given(st.lists(LONGS, max_size=30))
def test_numbers_are_written_as_avro_longs(numbers: list[int]) -> None:
    written = encoded_longs(np.array(numbers, dtype=np.int64))
    assert written == [encoded_long(number) for number in numbers]
    schema = fastavro.parse_schema({"type": "long"})
    assert [fastavro.schemaless_reader(io.BytesIO(each), schema, None) for each in written] == numbers


@pytest.mark.parametrize("length", [0, 1, 63, 64, 4095, 4096, 100_000])
def test_texts_of_any_length_are_written_as_avro_strings(length: int) -> None:
    schema = fastavro.parse_schema({"type": "string"})
    written = encoded_text("x" * length)
    assert fastavro.schemaless_reader(io.BytesIO(written), schema, None) == "x" * length


def test_a_constant_column_and_a_default_are_the_same_in_every_record() -> None:
    ids = ["a", "b", "c"]
    columns: dict[str, Column] = {
        "event_id": ids,
        "occurred_at": [0, 0, 0],
        "persona_id": Constant("p"),
        "kind": Constant("like"),
    }
    rows = RowCodec(FileRegistry())
    events = [EngagementEvent(event_id=each, occurred_at=EPOCH, persona_id="p", kind="like") for each in ids]
    values = [rows.encode(TOPIC, event) for event in events]
    assert ENCODER.encode(columns, header(38)) == values


def test_no_records_give_no_bodies() -> None:
    assert ENCODER.encode({name: [] for name in REQUIRED}) == []


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"kind": ["gift"]}, "EngagementEvent.kind"),
        ({"kind": [None]}, "EngagementEvent.kind"),
        ({"persona_id": [7]}, "EngagementEvent.persona_id"),
        ({"post_id": ["\ud800"]}, "EngagementEvent.post_id"),
        ({"count": [2**63]}, "EngagementEvent.count"),
        ({"count": [1.5]}, "EngagementEvent.count"),
        ({"simulated": ["yes"]}, "EngagementEvent.simulated"),
        ({"count": [1, 2]}, "of one length"),
        ({"likes": [1]}, "no field likes"),
    ],
)
def test_what_does_not_fit_is_refused_by_its_field(change: dict[str, Column], reason: str) -> None:
    with pytest.raises(EncodeFault, match=reason):
        ENCODER.encode({**REQUIRED, **change})


def test_a_missing_column_is_named() -> None:
    with pytest.raises(EncodeFault, match="lacks a column kind"):
        ENCODER.encode({name: column for name, column in REQUIRED.items() if name != "kind"})


def test_a_schema_with_nested_fields_is_not_for_columns() -> None:
    with pytest.raises(UnsupportedLayout, match="of type record"):
        ColumnEncoder(definition("DraftScored"))
