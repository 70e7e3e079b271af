"""What producers write otherwise than we do: each record is read as it was meant, or is a dead letter that says why."""

from __future__ import annotations

import copy
import io
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import fastavro
import pytest
from fastavro.utils import generate_one

from schemas.catalogue import Topic, topic_named
from schemas.codec.avro_primitives import encoded_long
from schemas.codec.avro_types import Record, parse_type
from schemas.codec.columns import ColumnCodec
from schemas.codec.conversions import sources_of
from schemas.codec.rows import EPOCH, MILLISECOND, RowCodec
from schemas.codec.wire_format import header
from schemas.definitions import AvroSchema, definition
from schemas.errors import DecodeFault, Unresolvable
from schemas.records import DraftScored, EngagementEvent, PersonaRequest
from tests.support.memory_registry import MemoryRegistry

EVENTS, REQUESTS = topic_named("engagement.events"), topic_named("persona.requests")
AT = datetime(2026, 11, 22, 9, tzinfo=UTC)
AT_MS = (AT - EPOCH) // MILLISECOND
DAY_MS = 86_400_000
VALUES: dict[str, dict[str, Any]] = {
    EVENTS.name: {
        "event_id": "e",
        "occurred_at": AT_MS,
        "persona_id": "ada",
        "causation_id": None,
        "post_id": "p1",
        "kind": "like",
        "count": 7,
        "source": "threads",
        "simulated": False,
        "basis": "event",
        "backfilled": False,
    },
    REQUESTS.name: {
        "event_id": "r",
        "occurred_at": AT_MS,
        "persona_id": "ada",
        "causation_id": None,
        "brief": "Write",
        "language": None,
        "draft_count": 2,
        "trend": None,
        "deadline": "tomorrow",
    },
}
BOTH = pytest.mark.parametrize("topic", [EVENTS, REQUESTS], ids=lambda topic: topic.name)


@dataclass(frozen=True, slots=True)
class Writer:
    """A registry with one schema of a topic, and what both codecs make of its bodies."""

    topic: Topic
    schema: Any
    references: tuple[Any, ...] = ()

    def encoded(self, value: Any) -> bytes:
        out = io.BytesIO()
        named: dict[str, Any] = {}
        for each in self.references:
            fastavro.parse_schema(each, named)
        fastavro.schemaless_writer(out, fastavro.parse_schema(self.schema, named), value)
        return out.getvalue()

    def read(self, body: bytes) -> dict[str, Any]:
        """Return the fields of a body as rows and, where the topic has them, columns give them."""
        registry = MemoryRegistry()
        value = header(registry.add(self.topic, self.schema, self.references)) + body
        rows = self._rows(registry, value)
        if self.topic.layout == "columns":
            decoded = ColumnCodec(registry).decode(self.topic, [value])
            columns: Any = decoded.frame.to_dicts()[0] if len(decoded.frame) else decoded.faults[0][1]
            assert type(rows) is type(columns)
            assert rows == columns or isinstance(rows, DecodeFault)
        if isinstance(rows, DecodeFault):
            raise rows
        return rows

    def _rows(self, registry: MemoryRegistry, value: bytes) -> dict[str, Any] | DecodeFault:
        try:
            return RowCodec(registry).decode_plain(self.topic, value)
        except DecodeFault as fault:
            return fault


def _changed(topic: Topic, field: str, **change: Any) -> AvroSchema:
    schema = copy.deepcopy(definition(topic.record.schema_name))
    next(each for each in schema["fields"] if each["name"] == field).update(change)
    return schema


def _written(topic: Topic, schema: Any, **change: Any) -> dict[str, Any]:
    """Return what is read of a record with a change in its values; `...` leaves a field out."""
    values = {**VALUES[topic.name], **change}
    writer = Writer(topic, schema)
    return writer.read(writer.encoded({name: each for name, each in values.items() if each is not ...}))


@BOTH
@pytest.mark.parametrize(
    ("kind", "written", "milliseconds"),
    [
        ("long", AT_MS, AT_MS),
        ("int", 12_345, 12_345),
        ({"type": "long", "logicalType": "local-timestamp-millis"}, AT_MS, AT_MS),
        ({"type": "long", "logicalType": "timestamp-micros"}, AT_MS * 1000 + 999, AT_MS),
        ({"type": "long", "logicalType": "local-timestamp-micros"}, AT_MS * 1000, AT_MS),
        ({"type": "long", "logicalType": "timestamp-nanos"}, AT_MS * 10**6 + 999_999, AT_MS),
        ({"type": "long", "logicalType": "local-timestamp-nanos"}, AT_MS * 10**6, AT_MS),
        ({"type": "int", "logicalType": "date"}, 20_000, 20_000 * DAY_MS),
        ({"type": "long", "logicalType": "no-such-type"}, AT_MS, AT_MS),
        (["null", "long"], AT_MS, AT_MS),
        (["string", {"type": "long", "logicalType": "timestamp-micros"}], AT_MS * 1000, AT_MS),
    ],
)
def test_a_moment_in_any_unit_is_milliseconds(topic: Topic, kind: Any, written: int, milliseconds: int) -> None:
    writer = Writer(topic, _changed(topic, "occurred_at", type=kind))
    plain = Writer(topic, _changed(topic, "occurred_at", type=_without_logical(kind)))
    assert writer.read(plain.encoded({**VALUES[topic.name], "occurred_at": written}))["occurred_at"] == milliseconds


def _without_logical(kind: Any) -> Any:
    if isinstance(kind, list):
        return [_without_logical(each) for each in kind]
    return kind["type"] if isinstance(kind, dict) else kind


@BOTH
@pytest.mark.parametrize(
    ("kind", "written"),
    [
        ("string", "2026-11-22"),
        ("double", 1.0),
        ("double", float("nan")),
        ({"type": "int", "logicalType": "time-millis"}, 5),
        ({"type": "array", "items": "long"}, [1]),
        (["null", "long"], None),
        (["null", "string", "long"], "x"),
    ],
)
def test_what_is_no_moment_is_a_dead_letter_that_names_the_field(topic: Topic, kind: Any, written: Any) -> None:
    writer = Writer(topic, _changed(topic, "occurred_at", type=kind))
    plain = Writer(topic, _changed(topic, "occurred_at", type=_without_logical(kind)))
    if isinstance(kind, dict) and kind["type"] == "array":
        plain = writer
    with pytest.raises(DecodeFault, match="occurred_at"):
        writer.read(plain.encoded({**VALUES[topic.name], "occurred_at": written}))


@pytest.mark.parametrize("logical", ["timestamp-millis", "date", "time-micros", "decimal"])
def test_a_number_in_a_unit_is_no_plain_count(logical: str) -> None:
    with pytest.raises(DecodeFault, match=f"count: expected long, written as long \\({logical}\\)"):
        Writer(EVENTS, _changed(EVENTS, "count", type={"type": "long", "logicalType": logical})).read(b"")


@pytest.mark.parametrize("count", [2**63 - 1, -(2**63)])
def test_the_widest_numbers_are_read(count: int) -> None:
    assert _written(EVENTS, definition("EngagementEvent"), count=count)["count"] == count


@BOTH
def test_a_moment_beyond_the_calendar_is_a_fault_of_the_record_object(topic: Topic) -> None:
    registry = MemoryRegistry()
    schema = _changed(topic, "occurred_at", type="long")
    body = Writer(topic, schema).encoded({**VALUES[topic.name], "occurred_at": 2**62})
    with pytest.raises(DecodeFault, match="occurred_at"):
        RowCodec(registry).decode(topic, header(registry.add(topic, schema)) + body)


def test_a_field_renamed_by_the_writer_keeps_its_value() -> None:
    schema = _changed(EVENTS, "count", name="n", aliases=["count"])
    assert _written(EVENTS, schema, count=..., n=7)["count"] == 7


def test_a_field_renamed_without_an_alias_is_another_field() -> None:
    schema = _changed(EVENTS, "count", name="n")
    assert _written(EVENTS, schema, count=..., n=7)["count"] == 1


@pytest.mark.parametrize(
    "change", [{"name": "n", "aliases": ["source", "count"]}, {"name": "n", "aliases": ["source"]}]
)
def test_a_field_that_may_be_one_of_several_is_not_guessed(change: dict[str, Any]) -> None:
    with pytest.raises(DecodeFault, match=r"source.*keep one of"):
        _written(EVENTS, _changed(EVENTS, "count", **change), count=..., n=7)


@BOTH
def test_a_record_of_another_name_and_namespace_is_read(topic: Topic) -> None:
    schema = {**definition(topic.record.schema_name), "name": "SocialEvent", "namespace": "com.example.avro"}
    assert _written(topic, schema) == VALUES[topic.name]


@BOTH
@pytest.mark.parametrize(
    "union",
    [
        lambda ours: ["null", ours],
        lambda ours: [{"type": "record", "name": "Heartbeat", "fields": []}, ours],
        lambda ours: [ours, {**ours, "name": "Other", "namespace": "x"}],
    ],
)
def test_of_a_union_our_branch_is_read_and_no_other(topic: Topic, union: Callable[[Any], Any]) -> None:
    ours = definition(topic.record.schema_name)
    branches = union(ours)
    writer = Writer(topic, branches)
    body = Writer(topic, ours).encoded(VALUES[topic.name])
    place = branches.index(ours)
    assert writer.read(encoded_long(place) + body) == VALUES[topic.name]
    with pytest.raises(DecodeFault):
        writer.read(encoded_long(1 - place) + body)
    with pytest.raises(DecodeFault):
        writer.read(encoded_long(-2) + body)


@BOTH
@pytest.mark.parametrize(
    "schema",
    [
        "string",
        "null",
        [],
        ["null", "string"],
        {"type": "map", "values": "long"},
        {"type": "array", "items": "string"},
        {"type": "fixed", "name": "F", "size": 3},
        {"type": "enum", "name": "E", "symbols": ["a"]},
        {"type": "record", "name": "R", "fields": []},
        {"type": "record", "name": "R"},
        {"type": "recrod", "name": "R"},
        {"type": {"type": {}}},
        {"$schema": "a JSON Schema", "type": "object"},
        {"type": "record", "name": "R", "fields": [{"name": "self", "type": "R"}]},
        None,
        7,
    ],
)
def test_what_is_no_schema_of_the_topic_is_the_fault_of_each_of_its_records(topic: Topic, schema: Any) -> None:
    for body in (b"", b"\x02a", b"\x00" * 40):
        with pytest.raises(DecodeFault, match=f"topic {topic.name} can't be read as {topic.record.schema_name}"):
            Writer(topic, schema).read(body)


@BOTH
def test_a_schema_nested_without_end_is_a_fault(topic: Topic) -> None:
    schema: Any = "long"
    for _ in range(100_000):
        schema = {"type": "array", "items": schema}
    with pytest.raises(DecodeFault, match="nested too deeply"):
        Writer(topic, schema).read(b"")
    with pytest.raises(DecodeFault, match="nested too deeply"):
        Writer(topic, _changed(topic, "event_id", type=schema)).read(b"")


@BOTH
@pytest.mark.parametrize(
    "added",
    [
        {"type": "array", "items": "null"},
        {"type": "array", "items": {"type": "record", "name": "Empty", "fields": []}},
        {"type": "array", "items": {"type": "fixed", "name": "None", "size": 0}},
        {"type": "map", "values": "null"},
        {"type": "array", "items": "string"},
    ],
)
def test_items_without_end_take_no_time(topic: Topic, added: Any) -> None:
    schema = copy.deepcopy(definition(topic.record.schema_name))
    schema["fields"].insert(0, {"name": "many", "type": added})
    body = Writer(topic, definition(topic.record.schema_name)).encoded(VALUES[topic.name])
    writer = Writer(topic, schema)
    assert writer.read(b"\x00" + body) == VALUES[topic.name]
    endless = encoded_long(2**62) + b"\x00" + body
    if added["type"] == "array" and added["items"] != "string":
        assert writer.read(endless) == VALUES[topic.name]
    else:
        with pytest.raises(DecodeFault, match="4611686018427387904 items"):
            writer.read(endless)


@BOTH
def test_records_in_records_are_passed_over_and_too_many_of_them_are_a_fault(topic: Topic) -> None:
    schema = copy.deepcopy(definition(topic.record.schema_name))
    node = {"type": "record", "name": "Node", "fields": [{"name": "next", "type": ["null", "Node"]}]}
    schema["fields"].insert(0, {"name": "chain", "type": node})
    body = Writer(topic, definition(topic.record.schema_name)).encoded(VALUES[topic.name])
    assert Writer(topic, schema).read(b"\x02" * 50 + b"\x00" + body) == VALUES[topic.name]
    with pytest.raises(DecodeFault, match="recursion"):
        Writer(topic, schema).read(b"\x02" * 100_000 + b"\x00" + body)


@BOTH
def test_a_schema_in_parts_is_put_together(topic: Topic) -> None:
    schema = copy.deepcopy(definition(topic.record.schema_name))
    field = schema["fields"][5 if topic is EVENTS else -1]
    part, field["type"] = field["type"], f"threads.{field['type']['name']}"
    writer = Writer(topic, schema, (part,))
    assert writer.read(writer.encoded(VALUES[topic.name])) == VALUES[topic.name]
    with pytest.raises(DecodeFault, match="which the schema does not define"):
        Writer(topic, schema).read(b"")


@pytest.mark.parametrize(
    "broken",
    [b"\x01\x0e\x0e", b"\x12\x0e\x0e"],
    ids=["a symbol of a negative number", "a symbol that is none"],
)
def test_a_symbol_is_one_of_those_there_are(broken: bytes) -> None:
    body = Writer(EVENTS, definition("EngagementEvent")).encoded(VALUES[EVENTS.name])
    _check_refused(body, body.replace(b"\x02\x0e\x0e", broken))


@pytest.mark.parametrize("boolean", [b"\x02", b"\xff"])
def test_a_boolean_is_true_or_false(boolean: bytes) -> None:
    body = Writer(EVENTS, definition("EngagementEvent")).encoded(VALUES[EVENTS.name])
    _check_refused(body, body[:-1] + boolean)


def _check_refused(body: bytes, broken: bytes) -> None:
    """Check that columns, rows and record objects refuse a body, written with our own schema or with another."""
    assert len(broken) == len(body)
    assert broken != body
    for schema in (definition("EngagementEvent"), {**definition("EngagementEvent"), "doc": "another"}):
        with pytest.raises(DecodeFault):
            Writer(EVENTS, schema).read(broken)
        registry = MemoryRegistry()
        with pytest.raises(DecodeFault):
            RowCodec(registry).decode(EVENTS, header(registry.add(EVENTS, schema)) + broken)


def test_a_symbol_we_do_not_know_is_our_default_where_there_is_one_and_else_refused() -> None:
    symbols = ["someday", "now"]
    later = {"type": "enum", "name": "Deadline", "symbols": symbols, "default": "someday"}
    assert _written(REQUESTS, _changed(REQUESTS, "deadline", type=later), deadline="someday")["deadline"] == "now"
    other = {"type": "enum", "name": "EngagementKind", "symbols": ["clap", "like"], "default": "like"}
    with pytest.raises(DecodeFault, match="got clap"):
        _written(EVENTS, _changed(EVENTS, "kind", type=other), kind="clap")
    assert _written(EVENTS, _changed(EVENTS, "kind", type=other))["kind"] == "like"


def test_a_field_is_found_by_the_aliases_of_either_side() -> None:
    def record(name: str, *aliases: str) -> Record:
        parsed = parse_type(
            {"type": "record", "name": "R", "fields": [{"name": name, "type": "long", "aliases": list(aliases)}]}
        )
        assert isinstance(parsed, Record)
        return parsed

    for writer, reader in (
        (record("a"), record("a")),
        (record("b", "a"), record("a")),
        (record("a"), record("b", "a")),
        (record("b", "a"), record("c", "a")),
    ):
        assert list(sources_of(writer, reader).values()) == [0]
    with pytest.raises(Unresolvable, match="No default value for field b"):
        sources_of(record("a"), record("b"))


@pytest.mark.parametrize(
    ("varint", "number"),
    [
        (b"\x8e\x00", 7),
        (b"\x8e\x80\x80\x80\x80\x80\x80\x80\x80\x00", 7),
        (b"\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01", 2**63 - 1),
        (b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", -(2**63)),
        (b"\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x02", None),
        (b"\x8e\x80\x80\x80\x80\x80\x80\x80\x80\x7e", None),
        (b"\x8e\x80\x80\x80\x80\x80\x80\x80\x80\x80\x00", None),
    ],
)
def test_a_number_has_64_bits_in_rows_and_in_columns(varint: bytes, number: int | None) -> None:
    writer = Writer(EVENTS, definition("EngagementEvent"))
    body = writer.encoded(VALUES[EVENTS.name]).replace(b"\x02\x0e\x0e", b"\x02" + varint + b"\x0e")
    if number is None:
        with pytest.raises(DecodeFault):
            writer.read(body)
    else:
        assert writer.read(body)["count"] == number


@pytest.mark.parametrize("schema", [definition("EngagementEvent"), {**definition("EngagementEvent"), "doc": "other"}])
def test_a_branch_that_is_written_longer_than_it_is_is_none(schema: Any) -> None:
    writer = Writer(EVENTS, schema)
    body = writer.encoded(VALUES[EVENTS.name])
    assert body.count(b"\x06ada\x00\x02\x04p1") == 1
    with pytest.raises(DecodeFault):
        writer.read(body.replace(b"\x06ada\x00", b"\x06ada\x80\x00"))


def test_a_moment_inside_a_nested_record_is_read_in_its_unit() -> None:
    topic = topic_named("drafts.scored")
    schema = copy.deepcopy(definition("DraftScored"))
    draft = next(each for each in schema["fields"] if each["name"] == "draft")["type"]
    next(each for each in draft["fields"] if each["name"] == "occurred_at")["type"] = {
        "type": "long",
        "logicalType": "timestamp-micros",
    }
    value = generate_one(definition("DraftScored"))
    value["draft"]["occurred_at"] = AT_MS * 1000
    registry = MemoryRegistry()
    body = Writer(topic, schema).encoded(value)
    record = RowCodec(registry).decode(topic, header(registry.add(topic, schema)) + body)
    assert isinstance(record, DraftScored)
    assert record.draft.occurred_at == AT


def test_the_records_are_those_of_the_classes() -> None:
    registry = MemoryRegistry()
    for topic, kind in ((EVENTS, EngagementEvent), (REQUESTS, PersonaRequest)):
        schema = _changed(topic, "occurred_at", type="long")
        body = Writer(topic, schema).encoded(VALUES[topic.name])
        record = RowCodec(registry).decode(topic, header(registry.add(topic, schema)) + body)
        assert record == kind(**{**VALUES[topic.name], "occurred_at": AT})
