"""Writer and reader schemas as typed trees: parsed once, leniently, and the same for the row and the column codec.

A registry takes more than Avro's libraries do (defaults of another type, names with dashes); what tells how bytes lie
is read here, the rest is left alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias, cast

from schemas.errors import UnusableSchema

PRIMITIVES = frozenset(("null", "boolean", "int", "long", "float", "double", "bytes", "string"))
SHOWN_LENGTH = 80


class NoDefault:
    """Stands where a field has no default: None is one."""


@dataclass(frozen=True, slots=True)
class Primitive:
    """A type without parts; `logical` is its logical type, known or not."""

    name: str
    logical: str | None = None


@dataclass(frozen=True, slots=True)
class Fixed:
    """So many bytes."""

    name: str
    aliases: tuple[str, ...]
    size: int


@dataclass(frozen=True, slots=True)
class Enum:
    """One of the symbols; `default` stands in a reader's for symbols it does not know."""

    name: str
    aliases: tuple[str, ...]
    symbols: tuple[str, ...]
    default: str | None


@dataclass(frozen=True, slots=True)
class Array:
    """Items in blocks."""

    items: AvroType


@dataclass(frozen=True, slots=True)
class Map:
    """Values by text."""

    values: AvroType


@dataclass(frozen=True, slots=True)
class Union:
    """One of the branches, by its number."""

    branches: tuple[AvroType, ...]


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a record; `default` is the JSON of the schema."""

    name: str
    aliases: tuple[str, ...]
    type: AvroType
    default: Any = NoDefault


@dataclass(frozen=True, slots=True, eq=False)
class Record:
    """Fields in order; they are filled in after the record is known by its name, for they may hold it again."""

    name: str
    aliases: tuple[str, ...]
    fields: list[Field] = field(default_factory=list)


AvroType: TypeAlias = Primitive | Fixed | Enum | Array | Map | Union | Record


def plain_name(name: str) -> str:
    """Return a name without its namespace."""
    return name.rpartition(".")[2]


def parse_type(schema: object, references: Sequence[object] = ()) -> AvroType:
    """Return the tree of a schema; what it refers to is defined in it or in `references`, which come in their order.

    Raises:
        UnusableSchema: it is no Avro schema; says where and what came.
    """
    parser = _Parser()
    try:
        for each in references:
            parser.parse(each, "")
        return parser.parse(schema, "")
    except RecursionError as error:
        raise UnusableSchema("expected an Avro schema, got one that is nested too deeply") from error


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= SHOWN_LENGTH else f"{text[:SHOWN_LENGTH]}..."


class _Parser:
    """Parse types in the order of the text: a name is known from its definition on."""

    def __init__(self) -> None:
        self._named: dict[str, AvroType] = {}

    def parse(self, schema: object, namespace: str) -> AvroType:
        if isinstance(schema, str):
            return Primitive(schema) if schema in PRIMITIVES else self._reference(schema, namespace)
        if isinstance(schema, list):
            return Union(tuple(self.parse(each, namespace) for each in schema))
        if isinstance(schema, dict):
            return self._described(schema, namespace)
        raise UnusableSchema(f"expected an Avro type, got {_shown(schema)}")

    def _reference(self, name: str, namespace: str) -> AvroType:
        for each in (_full_name(name, namespace), name):
            if each in self._named:
                return self._named[each]
        raise UnusableSchema(f"expected an Avro type, got {name!r}, which the schema does not define")

    def _described(self, schema: dict[str, Any], namespace: str) -> AvroType:
        kind = schema.get("type")
        if kind in ("record", "error"):
            return self._record(schema, namespace)
        if kind == "enum":
            return self._enum(schema, namespace)
        if kind == "fixed":
            return self._fixed(schema, namespace)
        if kind == "array":
            return Array(self.parse(schema.get("items"), namespace))
        if kind == "map":
            return Map(self.parse(schema.get("values"), namespace))
        return _with_logical(self.parse(kind, namespace), schema.get("logicalType"))

    def _record(self, schema: dict[str, Any], namespace: str) -> Record:
        name, inner = _own_name(schema, namespace)
        record = Record(name, _aliases(schema))
        self._named[name] = record
        fields = schema.get("fields")
        if not isinstance(fields, list):
            raise UnusableSchema(f"expected the fields of record {name}, got {_shown(fields)}")
        record.fields.extend(self._field(each, name, inner) for each in fields)
        return record

    def _field(self, described: object, record: str, namespace: str) -> Field:
        if not isinstance(described, dict) or not isinstance(described.get("name"), str):
            raise UnusableSchema(f"expected a field of record {record}, got {_shown(described)}")
        kind = self.parse(described.get("type"), namespace)
        return Field(described["name"], _aliases(described), kind, described.get("default", NoDefault))

    def _enum(self, schema: dict[str, Any], namespace: str) -> Enum:
        name, _ = _own_name(schema, namespace)
        symbols, default = schema.get("symbols"), schema.get("default")
        if not isinstance(symbols, list) or not all(isinstance(each, str) for each in symbols):
            raise UnusableSchema(f"expected the symbols of enum {name}, got {_shown(symbols)}")
        enum = Enum(name, _aliases(schema), tuple(symbols), default if isinstance(default, str) else None)
        self._named[name] = enum
        return enum

    def _fixed(self, schema: dict[str, Any], namespace: str) -> Fixed:
        name, _ = _own_name(schema, namespace)
        size = schema.get("size")
        if type(size) is not int or size < 0:
            raise UnusableSchema(f"expected the size of fixed {name}, got {_shown(size)}")
        fixed = Fixed(name, _aliases(schema), size)
        self._named[name] = fixed
        return fixed


def _with_logical(kind: AvroType, logical: object) -> AvroType:
    if isinstance(kind, Primitive) and isinstance(logical, str):
        return Primitive(kind.name, logical)
    return kind


def _full_name(name: str, namespace: str) -> str:
    return f"{namespace}.{name}" if namespace and "." not in name else name


def _own_name(schema: dict[str, Any], namespace: str) -> tuple[str, str]:
    """Return the full name of a named type and the namespace in it."""
    name, own = schema.get("name"), schema.get("namespace", namespace)
    if not isinstance(name, str):
        raise UnusableSchema(f"expected a name of the {schema['type']}, got {_shown(name)}")
    full = _full_name(name, own if isinstance(own, str) else "")
    return full, full.rpartition(".")[0]


def _aliases(schema: dict[str, Any]) -> tuple[str, ...]:
    aliases = schema.get("aliases", ())
    names = [aliases] if isinstance(aliases, str) else cast("list[object]", aliases)
    return tuple(each for each in names if isinstance(each, str)) if isinstance(names, list | tuple) else ()
