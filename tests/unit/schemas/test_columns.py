"""The column codec: the same values as the row codec, each fault at its place, no neighbour touched."""

from __future__ import annotations

import copy
import io
import random
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import fastavro
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.catalogue import topic_named
from schemas.codec.columns import ColumnCodec
from schemas.codec.rows import RowCodec
from schemas.codec.wire_format import HEADER_BYTES, header
from schemas.definitions import AvroSchema, definition
from schemas.records import EngagementEvent, EngagementKind
from schemas.registries.file_registry import FileRegistry

TOPIC = topic_named("engagement.events")
REGISTRY = FileRegistry()
ROWS = RowCodec(REGISTRY)
COLUMNS = ColumnCodec(REGISTRY)
START = datetime(2026, 11, 22, 9, tzinfo=UTC)
CORRUPTIONS = 300
KINDS: tuple[EngagementKind, ...] = ("view", "like", "reply", "follower_change")


def _event(number: int) -> EngagementEvent:
    return EngagementEvent(
        event_id=f"{number:032x}",
        occurred_at=START + timedelta(seconds=number),
        persona_id=f"persona-{number % 7}",
        post_id=None if number % 3 else f"post ☕ {number}",
        kind=KINDS[number % len(KINDS)],
        count=(-1) ** number * number**5,
        simulated=number % 2 == 0,
    )


VALUES = [ROWS.encode(TOPIC, _event(number)) for number in range(400)]
PLAIN = [ROWS.decode_plain(TOPIC, value) for value in VALUES]


def _framed(schema_id: int, schema: AvroSchema, values: dict[str, Any]) -> bytes:
    body = io.BytesIO()
    fastavro.schemaless_writer(body, fastavro.parse_schema(schema), values)
    return header(schema_id) + body.getvalue()


def _corrupt(value: bytes, chance: random.Random) -> bytes:
    broken = bytearray(value)
    way = chance.randrange(4)
    if way == 0:
        del broken[chance.randrange(HEADER_BYTES, len(broken))]
    elif way == 1:
        place = chance.randrange(HEADER_BYTES, len(broken))
        broken[place:place] = chance.randbytes(chance.randrange(1, 40))
    elif way == 2:
        del broken[chance.randrange(1, len(broken)) :]
    else:
        for _ in range(3):
            broken[chance.randrange(HEADER_BYTES, len(broken))] = chance.randrange(256)
    return bytes(broken)


def test_columns_hold_what_rows_hold() -> None:
    decoded = COLUMNS.decode(TOPIC, VALUES)
    assert decoded.faults == []
    assert decoded.frame.to_dicts() == PLAIN
    assert decoded.frame.schema == pl.Schema(
        {
            "event_id": pl.String,
            "occurred_at": pl.Int64,
            "persona_id": pl.String,
            "causation_id": pl.String,
            "post_id": pl.String,
            "kind": pl.String,
            "count": pl.Int64,
            "source": pl.String,
            "simulated": pl.Boolean,
            "basis": pl.String,
            "backfilled": pl.Boolean,
        }
    )


def test_a_subset_of_columns_is_decoded_in_the_order_asked_for() -> None:
    assert COLUMNS.decode(TOPIC, VALUES, ["kind", "count"]).frame.columns == ["kind", "count"]


def test_an_empty_slice_and_a_slice_of_poison_give_an_empty_frame_with_all_columns() -> None:
    for values in ([], [None, b"", b"garbage"]):
        decoded = COLUMNS.decode(TOPIC, values)
        assert (len(decoded.frame), len(decoded.kept), len(decoded.faults)) == (0, 0, len(values))
        assert decoded.frame.schema == COLUMNS.decode(TOPIC, VALUES).frame.schema


@pytest.mark.parametrize("seed", range(CORRUPTIONS))
def test_a_corrupted_record_is_a_fault_or_a_value_of_its_size_and_its_neighbours_are_intact(seed: int) -> None:
    chance = random.Random(seed)
    place = chance.randrange(len(VALUES))
    values = list(VALUES)
    values[place] = _corrupt(values[place], chance)
    decoded = COLUMNS.decode(TOPIC, values)
    rows = dict(zip(decoded.kept.tolist(), decoded.frame.to_dicts(), strict=True))
    assert {number: row for number, row in rows.items() if number != place} == {
        number: row for number, row in enumerate(PLAIN) if number != place
    }
    assert [at for at, _ in decoded.faults] == ([] if place in rows else [place])


@settings(max_examples=50, deadline=None)
@given(st.dictionaries(st.integers(0, len(VALUES) - 1), st.one_of(st.none(), st.binary(max_size=60)), max_size=40))
def test_any_garbage_anywhere_is_found_at_its_place(garbage: dict[int, bytes | None]) -> None:
    values: list[bytes | None] = list(VALUES)
    for place, value in garbage.items():
        values[place] = value if value is None else header(7) + value
    decoded = COLUMNS.decode(TOPIC, values)
    good = [number for number in decoded.kept.tolist() if number not in garbage]
    assert good == [number for number in range(len(VALUES)) if number not in garbage]
    assert sorted({at for at, _ in decoded.faults} | set(decoded.kept.tolist())) == list(range(len(VALUES)))
    assert decoded.frame.filter(pl.Series(kept not in garbage for kept in decoded.kept.tolist())).to_dicts() == [
        PLAIN[number] for number in good
    ]


def test_bad_utf8_is_found_although_its_size_fits() -> None:
    values = [value.replace(b"persona-3", b"persona\xff3") if i == 10 else value for i, value in enumerate(VALUES)]
    decoded = COLUMNS.decode(TOPIC, values)
    assert [(at, "utf-8" in str(fault)) for at, fault in decoded.faults] == [(10, True)]
    assert decoded.frame.to_dicts() == PLAIN[:10] + PLAIN[11:]


def test_a_fault_says_at_which_field_and_what_came() -> None:
    (fault,) = COLUMNS.decode(TOPIC, [VALUES[0][:-1]]).faults
    assert fault[0] == 0
    assert "EngagementEvent (schema id 38)" in str(fault[1])
    assert "'backfilled'" in str(fault[1])


def _evolved(name: str, change: dict[str, Any] | None) -> AvroSchema:
    schema = copy.deepcopy(definition("EngagementEvent"))
    field = next(field for field in schema["fields"] if field["name"] == name)
    if change is None:
        schema["fields"].remove(field)
    else:
        field.update(change)
    return schema


def test_several_writers_in_one_slice_are_projected_to_the_reader_in_order(tmp_path: Path) -> None:
    registry = FileRegistry(tmp_path)
    shorter, smaller = _evolved("simulated", None), _evolved("count", {"type": "int", "default": 1})
    short_id = registry.register(TOPIC.subject, shorter)
    longer = copy.deepcopy(definition("EngagementEvent"))
    longer["fields"].insert(1, {"name": "tags", "type": {"type": "array", "items": "string"}, "default": []})
    long_id = registry.register(TOPIC.subject, longer)
    base = {"event_id": "e", "occurred_at": START, "persona_id": "ada", "kind": "like", "count": 5}
    values: list[bytes | None] = [
        VALUES[0],
        _framed(short_id, shorter, {**base, "event_id": "short"}),
        _framed(long_id, longer, {**base, "event_id": "long", "tags": ["a", "b"], "simulated": True}),
        header(long_id) + b"\xff\xff",
        VALUES[1],
        _framed(short_id, shorter, {**base, "event_id": "short again"}),
    ]
    decoded = ColumnCodec(registry).decode(TOPIC, values)
    assert [at for at, _ in decoded.faults] == [3]
    assert decoded.kept.tolist() == [0, 1, 2, 4, 5]
    rows = RowCodec(registry)
    assert decoded.frame.to_dicts() == [rows.decode_plain(TOPIC, v) for i, v in enumerate(values) if i != 3]
    assert registry.incompatibilities(TOPIC.subject, smaller)


def test_a_symbol_that_only_a_newer_writer_knows_is_the_fault_of_its_record_alone(tmp_path: Path) -> None:
    registry = FileRegistry(tmp_path)
    kinds = definition("EngagementEvent")["fields"][5]["type"]
    newer = _evolved("kind", {"type": {**kinds, "symbols": ["save", *kinds["symbols"]]}})
    schema_id = registry.register(TOPIC.subject, newer)
    base = {"event_id": "e", "occurred_at": START, "persona_id": "ada"}
    values = [_framed(schema_id, newer, {**base, "kind": kind}) for kind in ("like", "save", "follow")]
    decoded = ColumnCodec(registry).decode(TOPIC, values)
    assert decoded.frame["kind"].to_list() == ["like", "follow"]
    assert [at for at, _ in decoded.faults] == [1]
    assert "save" in str(decoded.faults[0][1])


def test_values_of_another_topic_are_faults() -> None:
    decoded = COLUMNS.decode(TOPIC, [header(8) + VALUES[0][5:], VALUES[0]])
    assert decoded.kept.tolist() == [1]
    assert "id 8, which is CostEvent" in str(decoded.faults[0][1])
