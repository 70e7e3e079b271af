"""The records are what the .avsc files say, to the letter."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.definitions import AvroSchema, definitions
from schemas.errors import SchemaError
from schemas.generate import LINE_LENGTH, RECORDS_FILE, main, records_source
from tests.unit.schemas.test_records import assert_same_record

WORDS = st.text(st.characters(exclude_categories=("C", "Z")), min_size=1, max_size=30)
SENTENCES = st.lists(WORDS, min_size=1, max_size=30).map(" ".join)
NAMES = st.from_regex(r"[a-z]{1,8}_[a-z0-9]{1,4}", fullmatch=True)
LONGS = st.integers(-(2**63), 2**63 - 1)
FLOATS = st.floats(allow_nan=False, allow_infinity=False)
PRIMITIVES: dict[str, st.SearchStrategy[Any]] = {
    "string": st.text(st.characters(codec="utf-8"), max_size=9),
    "int": st.integers(-(2**31), 2**31 - 1),
    "long": LONGS,
    "float": FLOATS,
    "double": FLOATS,
    "boolean": st.booleans(),
}


@st.composite
def described_fields(draw: st.DrawFn, name: str, depth: int) -> AvroSchema:
    kinds = ["primitive", "optional", "array", "time", "enum", "bytes"] + ["record"] * (depth > 0)
    kind, primitive = draw(st.sampled_from(kinds)), draw(st.sampled_from(sorted(PRIMITIVES)))
    field: AvroSchema = {"name": name, "doc": draw(SENTENCES)}
    match kind:
        case "primitive":
            field |= {"type": primitive} | draw(defaults(PRIMITIVES[primitive]))
        case "optional":
            field |= {"type": ["null", primitive]} | draw(defaults(st.none()))
        case "array":
            field |= {"type": {"type": "array", "items": primitive}} | draw(defaults(st.lists(PRIMITIVES[primitive])))
        case "time":
            field |= {"type": {"type": "long", "logicalType": "timestamp-millis"}}
        case "enum":
            symbols = draw(st.lists(NAMES, min_size=1, max_size=20, unique=True))
            field |= {"type": {"type": "enum", "name": f"Kind_{name}", "symbols": symbols}}
            field |= draw(defaults(st.sampled_from(symbols)))
        case "bytes":
            field |= {"type": "bytes"}
        case "record":
            field |= {"type": draw(records(f"Part_{name}", depth - 1))}
    return field


def defaults(values: st.SearchStrategy[Any]) -> st.SearchStrategy[AvroSchema]:
    return st.one_of(st.just({}), values.map(lambda value: {"default": value}))


@st.composite
def records(draw: st.DrawFn, name: str = "Note", depth: int = 1) -> AvroSchema:
    names = draw(st.lists(NAMES, min_size=1, max_size=5, unique=True))
    fields = [draw(described_fields(f"{each}_{depth}_{len(name)}", depth)) for each in names]
    return {"type": "record", "name": name, "namespace": "threads", "doc": draw(SENTENCES), "fields": fields}


@contextmanager
def written(source: str) -> Iterator[ModuleType]:
    """The module of a text, where `dataclass` and `get_type_hints` look for it."""
    module = ModuleType("written_records")
    sys.modules[module.__name__] = module
    try:
        exec(compile(source, "written_records.py", "exec"), module.__dict__)
        yield module
    finally:
        del sys.modules[module.__name__]


def test_the_committed_records_are_those_of_the_avro_files() -> None:
    assert RECORDS_FILE.read_text(encoding="utf-8") == records_source(definitions()), (
        "schemas/records.py is not what schemas/avro says: run `python -m schemas.generate` (or `just records`)"
    )


@given(records())
def test_any_record_is_written_with_its_fields_types_defaults_and_docs(schema: AvroSchema) -> None:
    source = records_source({schema["name"]: schema})
    with written(source) as module:
        assert_same_record(module.Note, schema, "Note")
        assert words(module.Note.__doc__) == words(schema["doc"])
    for field in schema["fields"]:
        assert words(field["doc"]) in words(unescaped(source))


def words(text: str) -> str:
    return "".join(text.split())


def unescaped(source: str) -> str:
    return source.replace('\\"', '"').replace("\\\\", "\\")


def test_no_line_of_the_records_is_longer_than_a_line() -> None:
    assert max(map(len, RECORDS_FILE.read_text(encoding="utf-8").splitlines())) <= LINE_LENGTH


def test_a_type_that_two_records_hold_is_written_once() -> None:
    source = records_source(definitions())
    assert source.count("class DraftGenerated(Record):") == 1
    assert source.index("class GenerationStep(") < source.index("class DraftGenerated(")


def test_a_new_field_needs_nothing_but_its_avro_file(tmp_path: Path) -> None:
    for name, schema in definitions().items():
        grown = schema | {
            "fields": [*schema["fields"], {"name": "mood", "type": "string", "doc": "How.", "default": "?"}]
        }
        (tmp_path / f"{name}.avsc").write_text(json.dumps(grown if name == "CostEvent" else schema), encoding="utf-8")
    main(tmp_path, tmp_path / "records.py")
    with written((tmp_path / "records.py").read_text(encoding="utf-8")) as module:
        assert {field.name: field.default for field in dataclasses.fields(module.CostEvent)}["mood"] == "?"


def record(**changes: Any) -> AvroSchema:
    field = {"name": "text", "type": "string", "doc": "What it says."} | changes
    return {"type": "record", "name": "Note", "doc": "A note.", "fields": [field]}


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        (record(doc=""), r"Note\.text: has no `doc`"),
        (record(name="class"), r"Note\.class: expected a name"),
        (record(name="schema_name"), r"Note\.schema_name: expected a name"),
        (record(type={"type": "map", "values": "int"}), r"Note\.text: no Python type"),
        (record(type={"type": "bytes", "logicalType": "decimal"}), r"Note\.text: no Python type"),
        (record(type=["string", "int"]), r"Note\.text: expected a union of null and one type"),
        (record(type="Missing"), r"Note\.text: expected a type that is known here, got 'Missing'"),
        (
            record(type={"type": "long", "logicalType": "timestamp-millis"}, default=0),
            r"Note\.text: a timestamp-millis",
        ),
        (record(type={"type": "enum", "name": "Mood", "symbols": []}), r"Note\.text: expected at least one symbol"),
    ],
)
def test_what_python_has_no_record_for_is_refused_by_its_field(schema: AvroSchema, said: str) -> None:
    with pytest.raises(SchemaError, match=said):
        records_source({"Note": schema})


def test_a_name_that_means_two_things_is_refused() -> None:
    inner = record()
    outer = {
        "name": "Letter",
        "type": "record",
        "doc": "A letter.",
        "fields": [record(type=record(doc="Else."))["fields"][0]],
    }
    with pytest.raises(SchemaError, match="Note is defined twice"):
        records_source({"Note": inner, "Letter": outer})
