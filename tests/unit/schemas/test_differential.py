"""Rows and columns read the same of whatever producers write, and what they read is right.

Judges are what the generator knows of each field, and fastavro, which knows nothing of ours.
"""

from __future__ import annotations

import copy
import io
from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

import fastavro
import pytest
from fastavro.read import SchemaResolutionError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas.catalogue import CATALOGUE, Topic
from schemas.codec.columns import ColumnCodec
from schemas.codec.rows import EPOCH, MILLISECOND, RowCodec
from schemas.codec.wire_format import header
from schemas.definitions import definition, working_record
from schemas.errors import DecodeFault
from streams.engine.batch import ColumnBatch, RowBatch, Slice, TopicPartition
from streams.engine.decoding import Decoder
from streams.errors import RecordFault
from streams.settings import Settings
from streams.validation import validate
from tests.support.memory_registry import MemoryRegistry
from tests.support.written_records import Draw, Written, foreign_type, scalar_type, written_records
from tests.support.written_records import values as values_of

COLUMN_TOPICS = [topic for topic in CATALOGUE if topic.layout == "columns"]
TOPICS = [topic for topic in CATALOGUE if topic.name != "drafts.rejected"]  # the record of drafts.accepted
REJECTED = "rejected"
ANY_SPEED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


@dataclass(frozen=True, slots=True)
class Fetched:
    """A record as the transport hands it over."""

    offset: int
    value: bytes
    timestamp: int = 0
    key: bytes | None = None
    headers: Sequence[tuple[str, bytes | None]] = ()


def _physical(kind: Any, *kept: str) -> Any:
    """Return a type as its bytes lie: without logical types, and without wrappings that only some parsers take."""
    if isinstance(kind, list):
        return [_physical(each, *kept) for each in kind]
    if not isinstance(kind, dict):
        return kind
    if isinstance(kind["type"], dict | list) and "name" not in kind:
        return _physical(kind["type"], *kept)
    left_out = {"logicalType", "doc", "default", "aliases"}.difference(kept)
    plain = {name: each for name, each in kind.items() if name not in left_out}
    for name in {"type", "items", "values", "fields"} & plain.keys():
        plain[name] = _physical(plain[name], *kept)
    return plain["type"] if set(plain) == {"type"} else plain


def _encoded(schema: Any, value: Any) -> bytes:
    out = io.BytesIO()
    fastavro.schemaless_writer(out, fastavro.parse_schema(_physical(schema)), value)
    return out.getvalue()


def _read(codec: RowCodec, topic: Topic, value: bytes) -> Any:
    try:
        return codec.decode_plain(topic, value)
    except DecodeFault:
        return REJECTED


def _record(codec: RowCodec, topic: Topic, value: bytes) -> Any:
    """Return what a consumer of rows gets, or REJECTED: the only two things that may come of a value."""
    try:
        record = codec.decode(topic, value)
        validate(record)
    except (DecodeFault, RecordFault):
        return REJECTED
    return record


def _as_columns(record: Any) -> Any:
    """Return a flat record as the columns of it."""
    plain = {field.name: getattr(record, field.name) for field in fields(record)}
    return {name: (each - EPOCH) // MILLISECOND if isinstance(each, datetime) else each for name, each in plain.items()}


def _decoded(registry: MemoryRegistry, topic: Topic, values: Sequence[bytes]) -> dict[int, Any]:
    """Return what the worker gets of a slice, by place; what is missing was rejected."""
    part = Slice(TopicPartition(topic.name, 0), [Fetched(i, each) for i, each in enumerate(values)], None, 0)
    decoded = Decoder(registry, Settings()).decode(part)
    found: dict[int, Any] = {}
    if isinstance(decoded.batch, RowBatch):
        found = {row.offset: row.record for row in decoded.batch.rows}
    if isinstance(decoded.batch, ColumnBatch):
        found = {row.pop("offset"): row for row in decoded.batch.frame.to_dicts()}
    assert sorted([*found, *(each.offset for each in decoded.rejections)]) == list(range(len(values)))
    return found


def _corrupted(draw: st.DrawFn, body: bytes) -> bytes:
    """Return a body with a byte changed, lost or added."""
    place = draw(st.integers(0, max(len(body) - 1, 0)))
    change = draw(st.binary(max_size=3))
    return body[:place] + change + body[place + draw(st.integers(0, 2)) :]


@pytest.mark.fuzz
@ANY_SPEED
@given(topic=st.sampled_from(TOPICS), data=st.data())
def test_a_record_of_any_producer_is_read_as_it_was_meant_or_refused(topic: Topic, data: st.DataObject) -> None:
    written: Written = data.draw(written_records(topic))
    registry = MemoryRegistry()
    value = header(registry.add(topic, written.schema)) + _encoded(written.schema, written.value)
    found = _read(RowCodec(registry), topic, value)
    assert found == (REJECTED if written.expected is None else written.expected)


@pytest.mark.fuzz
@ANY_SPEED
@given(topic=st.sampled_from(TOPICS), data=st.data())
def test_the_worker_takes_what_rows_take_and_has_the_same_values(topic: Topic, data: st.DataObject) -> None:
    registry = MemoryRegistry()
    values = []
    for _ in range(data.draw(st.integers(1, 4))):
        written = data.draw(written_records(topic))
        schema_id = registry.add(topic, written.schema)
        body = _encoded(written.schema, written.value)
        values += [header(schema_id) + body, header(schema_id) + data.draw(st.composite(_corrupted)(body))]
    rows = [_record(RowCodec(registry), topic, value) for value in values]
    taken = {place: record for place, record in enumerate(rows) if record is not REJECTED}
    if topic.layout == "columns":
        taken = {place: _as_columns(record) for place, record in taken.items()}
    assert _decoded(registry, topic, values) == taken


@pytest.mark.fuzz
@pytest.mark.parametrize("topic", COLUMN_TOPICS, ids=lambda topic: topic.name)
@ANY_SPEED
@given(data=st.data())
def test_columns_are_those_of_rows_whatever_the_bytes(topic: Topic, data: st.DataObject) -> None:
    registry = MemoryRegistry()
    written = data.draw(written_records(topic))
    ids = [registry.add(topic, written.schema), registry.add_working(topic)]
    body = _encoded(written.schema, written.value)
    bodies = data.draw(
        st.lists(st.one_of(st.just(body), st.binary(max_size=60), st.composite(_corrupted)(body)), max_size=6)
    )
    values = [header(data.draw(st.sampled_from(ids))) + each for each in bodies]
    decoded = ColumnCodec(registry).decode(topic, values)
    rows = [_read(RowCodec(registry), topic, value) for value in values]
    assert dict(zip(decoded.kept.tolist(), decoded.frame.to_dicts(), strict=True)) == {
        place: row for place, row in enumerate(rows) if row is not REJECTED
    }
    assert [place for place, _ in decoded.faults] == [place for place, row in enumerate(rows) if row is REJECTED]


def _judged(topic: Topic, schema: Any, body: bytes) -> Any:
    """Return what fastavro makes of a body by Avro's rules, logical types and aliases left out on both sides."""
    reader = fastavro.parse_schema(_physical(definition(topic.record.schema_name), "default"))
    try:
        return fastavro.schemaless_reader(io.BytesIO(body), fastavro.parse_schema(_physical(schema)), reader)
    except (SchemaResolutionError, UnicodeDecodeError):
        return REJECTED


def _as_avro_knows_it(schema: Any, working: Any) -> Any:
    """Return a writer schema of which Avro's rules are all there is to say: our names, and no aliases of a writer."""
    plain = _physical(schema) | {"name": working["name"], "namespace": working["namespace"]}
    names = {each["name"]: each["type"] for each in working["fields"]}
    for field in plain["fields"]:
        if isinstance(field["type"], dict) and "OtherName" in field["type"].get("name", ""):
            field["type"]["name"] = names[field["name"]]["name"] if field["name"] in names else "Unknown"
    return plain


@pytest.mark.fuzz
@ANY_SPEED
@given(topic=st.sampled_from(TOPICS), data=st.data())
def test_where_avro_has_a_rule_a_record_is_read_by_it(topic: Topic, data: st.DataObject) -> None:
    written = data.draw(written_records(topic))
    schema = _as_avro_knows_it(written.schema, definition(topic.record.schema_name))
    body = _encoded(schema, written.value)
    registry = MemoryRegistry()
    found = _read(RowCodec(registry), topic, header(registry.add(topic, schema)) + body)
    assert found == _judged(topic, schema, body)


JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-9, 9), st.text(max_size=4), scalar_type()),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(
            st.sampled_from(["type", "name", "namespace", "fields", "items", "values", "symbols", "size", "aliases"]),
            st.one_of(inner, st.sampled_from(["record", "enum", "fixed", "array", "map", "R", "event_id"])),
            max_size=6,
        ),
    ),
    max_leaves=25,
)


@st.composite
def any_schema(draw: Draw, topic: Topic) -> Any:
    """Return what a registry may hold: a schema near ours with anything put somewhere, or anything at all."""
    schema = copy.deepcopy(definition(topic.record.schema_name))
    field = draw(st.sampled_from(schema["fields"]))
    field[draw(st.sampled_from(["type", "name", "aliases", "default", "doc"]))] = draw(JSON)
    other = draw(foreign_type(0))[0]
    return draw(
        st.sampled_from([schema, [schema, other], [other, "null", schema], other, draw(JSON), {"type": schema}])
    )


@pytest.mark.fuzz
@ANY_SPEED
@given(topic=st.sampled_from(TOPICS), data=st.data())
def test_whatever_a_registry_holds_is_read_alike_or_refused(topic: Topic, data: st.DataObject) -> None:
    registry = MemoryRegistry()
    frame = header(registry.add(topic, data.draw(any_schema(topic)), tuple(data.draw(st.lists(JSON, max_size=1)))))
    own = _encoded(definition(topic.record.schema_name), data.draw(values_of(working_record(topic.record.schema_name))))
    bodies = st.one_of(st.just(own), st.sampled_from([2, 4]).map(lambda branch: bytes([branch]) + own), st.binary())
    values = [frame + each for each in data.draw(st.lists(bodies, max_size=3))]
    rows = [_record(RowCodec(registry), topic, value) for value in values]
    taken = {place: record for place, record in enumerate(rows) if record is not REJECTED}
    if topic.layout == "columns":
        taken = {place: _as_columns(record) for place, record in taken.items()}
    assert _decoded(registry, topic, values) == taken
