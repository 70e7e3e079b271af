"""Records as producers of all kinds write them: writer schemas made from ours, with what has to be read of them.

Each field of a topic's schema is kept, or written in another way, of which is known what a reader has to make: a value,
the default, or nothing at all. `expected` is None where the record has to be refused.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from schemas.catalogue import Topic
from schemas.codec.avro_types import Array, AvroType, Enum, NoDefault, Primitive, Record, Union
from schemas.definitions import definition, working_record

Draw = Callable[[st.SearchStrategy[Any]], Any]

INT = 2**31
LONG = 2**63
DAY_MS = 86_400_000
LATEST_MS = 253_402_300_799_999
REFUSED = object()
MISSING = object()


def mostly(usual: st.SearchStrategy[Any], odd: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Return the usual nine times in ten: a record has many fields, and one odd one is enough to refuse it."""
    return st.integers(0, 9).flatmap(lambda number: usual if number else odd)


TEXT = mostly(
    st.text("abc☕ ", min_size=1, max_size=6).map("x".__add__), st.text(" \t\x1c\x1f\x85\xa0\u2003\0é", max_size=6)
)
MILLISECONDS = mostly(st.integers(0, LATEST_MS), st.one_of(st.integers(-(2**40), 2**50), st.integers(-LONG, LONG - 1)))
# Milliseconds of each way to write a moment, as a pair (times, per); spelt out here and not taken from the code.
MOMENTS: dict[str | None, tuple[int, int]] = {
    None: (1, 1),
    "timestamp-millis": (1, 1),
    "local-timestamp-millis": (1, 1),
    "timestamp-micros": (1, 1_000),
    "local-timestamp-micros": (1, 1_000),
    "timestamp-nanos": (1, 1_000_000),
    "local-timestamp-nanos": (1, 1_000_000),
    "x-my-own": (1, 1),
}


@dataclass(frozen=True, slots=True)
class Written:
    """A value in the terms of its writer schema, and the fields that a reader has to find, or None."""

    schema: dict[str, Any]
    value: dict[str, Any]
    expected: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class Way:
    """A way to write one field: its type, its value, and what is to be read."""

    type: Any
    value: Any
    read: Any


def values(kind: AvroType) -> st.SearchStrategy[Any]:
    """Return plain values of a type of ours."""
    if isinstance(kind, Union):
        return st.one_of(*map(values, kind.branches))
    if isinstance(kind, Record):
        return st.fixed_dictionaries({each.name: values(each.type) for each in kind.fields})
    if isinstance(kind, Array):
        return st.lists(values(kind.items), max_size=3)
    if isinstance(kind, Enum):
        return st.sampled_from(kind.symbols)
    assert isinstance(kind, Primitive)
    return _PRIMITIVES[kind.name] if kind.logical is None else MILLISECONDS


_NUMBERS = st.floats(allow_nan=False)
_PRIMITIVES: dict[str, st.SearchStrategy[Any]] = {
    "null": st.none(),
    "string": TEXT,
    "bytes": mostly(TEXT.map(str.encode), st.binary(max_size=6)),
    "boolean": st.booleans(),
    "int": mostly(st.integers(1, 100), st.integers(-INT, INT - 1)),
    "long": mostly(st.integers(0, 100), st.integers(-LONG, LONG - 1)),
    "float": st.floats(allow_nan=False, width=32),
    "double": _NUMBERS,
}


def scalar_type() -> st.SearchStrategy[Any]:
    """Return types of single values, logical types included."""
    return st.one_of(
        st.sampled_from(["null", "string", "bytes", "boolean", "int", "long", "float", "double"]),
        st.sampled_from([{"type": "long", "logicalType": each} for each in MOMENTS if each]),
        st.just({"type": "int", "logicalType": "date"}),
        st.just({"type": "string", "logicalType": "uuid"}),
        st.just({"type": {"type": "string"}}),
    )


@st.composite
def foreign_type(draw: Draw, number: int) -> tuple[Any, Any]:
    """Return a type that ours know nothing of, with a value; `number` keeps its names apart from others."""
    scalar = draw(scalar_type())
    node = {"name": "next", "type": ["null", f"Node{number}"]}
    empty = {"type": "record", "name": f"Empty{number}", "fields": [{"name": "nothing", "type": "null"}]}
    kinds: list[tuple[Any, st.SearchStrategy[Any]]] = [
        (scalar, scalar_values(scalar)),
        ({"type": "array", "items": "null"}, st.lists(st.none(), max_size=40)),
        ({"type": "array", "items": empty}, st.lists(st.just({"nothing": None}), max_size=3)),
        ({"type": "map", "values": ["null", "long"]}, st.dictionaries(TEXT, st.none(), max_size=3)),
        ({"type": "fixed", "name": f"Fixed{number}", "size": 3}, st.binary(min_size=3, max_size=3)),
        ({"type": "enum", "name": f"Enum{number}", "symbols": ["a", "b"]}, st.sampled_from(["a", "b"])),
        ({"type": "record", "name": f"Node{number}", "fields": [node]}, st.integers(0, 20).map(_chain)),
    ]
    kind, each = draw(st.sampled_from(kinds))
    return kind, draw(each)


def _chain(length: int) -> dict[str, Any]:
    chain: dict[str, Any] = {"next": None}
    for _ in range(length):
        chain = {"next": chain}
    return chain


def scalar_values(kind: Any) -> st.SearchStrategy[Any]:
    """Return values of a scalar type."""
    while isinstance(kind, dict):
        if kind.get("logicalType") == "date":
            return st.integers(-INT, INT - 1)
        kind = kind["type"]
    return _PRIMITIVES[kind]


@st.composite
def written_records(draw: Draw, topic: Topic) -> Written:
    """Return a record of the topic by some producer's schema."""
    plain = definition(topic.record.schema_name)
    fields: list[dict[str, Any]] = []
    value: dict[str, Any] = {}
    expected: dict[str, Any] = {}
    odd = draw(st.sets(st.integers(0, len(plain["fields"]) - 1), max_size=3))
    for number, (own, wanted) in enumerate(
        zip(plain["fields"], working_record(topic.record.schema_name).fields, strict=True)
    ):
        way = draw(_ways(own, wanted.type)) if number in odd else _as_it_is(draw, own, wanted.type)
        name, read, aliases = own["name"], way.read, {}
        fate = draw(st.sampled_from(["kept", "kept", "renamed", "lost", "left out"])) if number in odd else "kept"
        if fate == "renamed":
            name, aliases = f"other_{number}", {"aliases": ["older_name", own["name"]]}
        elif fate == "lost":
            name, read = f"other_{number}", MISSING
        if fate == "left out":
            read = MISSING
        else:
            fields.append({"name": name, "type": way.type, **aliases})
            value[name] = way.value
        if read is MISSING:
            read = REFUSED if wanted.default is NoDefault else wanted.default
        expected[own["name"]] = read
    for number in range(draw(st.integers(0, 2))):
        kind, added = draw(foreign_type(number))
        fields.append({"name": f"added_{number}", "type": kind})
        value[f"added_{number}"] = added
    schema = {
        "type": "record",
        "name": draw(st.sampled_from([plain["name"], "Other"])),
        "namespace": draw(st.sampled_from(["threads", "com.example"])),
        "fields": draw(st.permutations(fields)),
    }
    return Written(schema, value, None if REFUSED in expected.values() else expected)


def _as_it_is(draw: Draw, own: dict[str, Any], wanted: AvroType) -> Way:
    value = draw(values(wanted))
    return Way(own["type"], value, value)


@st.composite
def _ways(draw: Draw, own: dict[str, Any], wanted: AvroType) -> Way:
    """Return how a field is written otherwise."""
    way = _as_it_is(draw, own, wanted)
    branches = wanted.branches if isinstance(wanted, Union) else (wanted,)
    kind = branches[-1]
    nullable = len(branches) > 1
    if draw(st.booleans()):
        way = _other(draw, kind) or way
    if way.value is None and nullable:
        way = Way(way.type, None, None)
    if isinstance(way.type, list) or draw(st.booleans()):
        return way
    return _in_union(draw, way, nullable=nullable)


def _in_union(draw: Draw, way: Way, *, nullable: bool) -> Way:
    """Return the way in a union: with null, or with a branch that is none of ours."""
    other = draw(st.sampled_from([{"type": "map", "values": "long"}, *["null"] * (way.type != "null")]))
    union = draw(st.permutations([way.type, other]))
    if draw(st.integers(0, 3)):
        return Way(union, way.value, way.read)
    if other == "null":
        return Way(union, None, None if nullable else REFUSED)
    return Way(union, {}, REFUSED)


def _other(draw: Draw, kind: AvroType) -> Way | None:
    """Return another way to write a type, or None where there is none to try."""
    if isinstance(kind, Enum):
        return _other_symbols(draw, kind)
    if not isinstance(kind, Primitive):
        return None
    if kind.logical is not None:
        return _other_moment(draw)
    near = [each for each in ("int", "long", "float", "bytes", "string") if _is_promoted(each, kind.name)]
    written = draw(st.one_of(st.sampled_from([*near, kind.name]), scalar_type()))
    value = draw(scalar_values(written))
    return Way(written, value, _promoted(written, value, kind.name))


def _promoted(written: Any, value: Any, wanted: str) -> Any:
    """Return what is read of another scalar type, by Avro's table of promotions."""
    while isinstance(written, dict) and written.get("logicalType") in (None, "uuid", "x-my-own"):
        written = written["type"]
    if isinstance(written, dict):
        return REFUSED
    if written == wanted:
        return value
    if not _is_promoted(written, wanted):
        return REFUSED
    if isinstance(value, str | bytes):
        return value.encode() if isinstance(value, str) else _text(value)
    return float(value) if wanted in ("float", "double") else value


def _is_promoted(written: str, wanted: str) -> bool:
    numbers = ["int", "long", "float", "double"]
    if {written, wanted} == {"string", "bytes"}:
        return True
    return written in numbers and wanted in numbers and numbers.index(written) < numbers.index(wanted)


def _text(value: bytes) -> object:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return REFUSED


def _other_moment(draw: Draw) -> Way:
    way = draw(st.integers(0, 3))
    if way == 0:
        days = draw(st.integers(-INT, INT - 1))
        return Way({"type": "int", "logicalType": "date"}, days, days * DAY_MS)
    if way == 1:
        number = draw(_PRIMITIVES["int"])
        return Way("int", number, number)
    if way == 2:
        kind = draw(st.sampled_from(["string", "double", {"type": "int", "logicalType": "time-millis"}, "boolean"]))
        return Way(kind, draw(scalar_values(kind)), REFUSED)
    logical = draw(st.sampled_from(list(MOMENTS)))
    times, per = MOMENTS[logical]
    number = draw(st.one_of(MILLISECONDS, st.integers(0, LATEST_MS * per)).filter(lambda each: -LONG <= each < LONG))
    return Way({"type": "long", "logicalType": logical} if logical else "long", number, number * times // per)


def _other_symbols(draw: Draw, kind: Enum) -> Way:
    symbols = draw(st.permutations([*kind.symbols, "never_heard_of"]))[: draw(st.integers(1, len(kind.symbols) + 1))]
    symbol = draw(st.sampled_from(symbols))
    name = draw(st.sampled_from([kind.name, f"com.example.OtherName{kind.name}"]))
    known = symbol if symbol in kind.symbols else (kind.default or REFUSED)
    return Way({"type": "enum", "name": name, "symbols": symbols}, symbol, known)
