"""The record classes and the Avro files are one contract; schemas/generate.py writes the former from the latter."""

from __future__ import annotations

import dataclasses
from datetime import datetime
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import pytest

from schemas.catalogue import CATALOGUE, Topic
from schemas.definitions import AvroSchema, definition, definitions
from schemas.records import Record
from schemas.registries.file_registry import FileRegistry

_PRIMITIVES = {
    str: ("string",),
    int: ("int", "long"),
    float: ("double", "float"),
    bool: ("boolean",),
    bytes: ("bytes",),
}


def _assert_same_type(hint: Any, avro: Any, path: str) -> None:
    if isinstance(avro, list):
        assert get_origin(hint) in (Union, UnionType), path
        assert NoneType in get_args(hint), path
        assert "null" in avro, path
        hint = next(each for each in get_args(hint) if each is not NoneType)
        avro = next(each for each in avro if each != "null")
    kind = avro["type"] if isinstance(avro, dict) else avro
    if kind == "enum":
        assert get_origin(hint) is Literal, path
        assert list(get_args(hint)) == avro["symbols"], path
    elif kind == "array":
        assert get_origin(hint) is tuple, path
        _assert_same_type(get_args(hint)[0], avro["items"], f"{path}[]")
    elif kind == "record":
        assert_same_record(hint, avro, path)
    elif isinstance(avro, dict):
        assert (hint, kind, avro["logicalType"]) == (datetime, "long", "timestamp-millis"), path
    else:
        assert kind in _PRIMITIVES[hint], path


def assert_same_record(kind: type[Record], schema: AvroSchema, path: str) -> None:
    hints = get_type_hints(kind)
    fields = dataclasses.fields(kind)
    assert (kind.schema_name, [field.name for field in fields]) == (
        schema["name"],
        [field["name"] for field in schema["fields"]],
    ), path
    for field, avro in zip(fields, schema["fields"], strict=True):
        inner = f"{path}.{field.name}"
        _assert_same_type(hints[field.name], avro["type"], inner)
        default = list(field.default) if isinstance(field.default, tuple) else field.default
        assert (default is not dataclasses.MISSING) == ("default" in avro), inner
        if "default" in avro:
            assert default == avro["default"], inner


@pytest.mark.parametrize("topic", CATALOGUE, ids=lambda topic: topic.name)
def test_a_record_class_equals_its_avro_record_field_by_field(topic: Topic) -> None:
    assert_same_record(topic.record, definition(topic.record.schema_name), topic.record.schema_name)


def test_every_avro_file_is_the_record_of_a_topic() -> None:
    assert set(definitions()) == {topic.record.schema_name for topic in CATALOGUE}


@pytest.mark.parametrize("topic", CATALOGUE, ids=lambda topic: topic.name)
def test_the_working_schema_is_registered_as_the_newest_version(topic: Topic) -> None:
    registry = FileRegistry()
    working = registry.schema_id(topic.subject, definition(topic.record.schema_name))
    assert working == registry.ids(topic.subject)[-1]


@pytest.mark.parametrize("topic", CATALOGUE, ids=lambda topic: topic.name)
def test_every_event_says_what_it_is_when_it_was_and_whose(topic: Topic) -> None:
    names = [field["name"] for field in definition(topic.record.schema_name)["fields"]]
    assert names[:2] == ["event_id", "occurred_at"]
    assert topic.key is None or topic.key in names
