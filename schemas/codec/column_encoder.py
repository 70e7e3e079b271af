"""Columns to Avro bodies: many records of one flat schema at once, without an object for each."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import repeat
from typing import Any

import numpy.typing as npt

from schemas.codec.avro_layout import UnsupportedLayout, branches
from schemas.codec.avro_primitives import encoded_long, encoded_longs, encoded_text
from schemas.definitions import AvroSchema
from schemas.errors import EncodeFault

Values = Sequence[Any] | npt.NDArray[Any]
Encode = Callable[[Any], list[bytes]]


@dataclass(frozen=True, slots=True)
class Constant:
    """A column that has one value in every record; it is encoded once."""

    value: object


Column = Values | Constant


@dataclass(frozen=True, slots=True)
class _Field:
    name: str
    encode: Encode
    default: Constant | None


class ColumnEncoder:
    """Encode columns of one schema: byte for byte what the row codec writes (a test holds them to it)."""

    def __init__(self, schema: AvroSchema) -> None:
        """Prepare for a schema of strings, numbers, booleans and enums, nullable or not; timestamps are epoch ms.

        Raises:
            UnsupportedLayout: a field is of another type.
        """
        self._name = schema["name"]
        self._fields = [_field(each) for each in schema["fields"]]

    def encode(self, columns: Mapping[str, Column], prefix: bytes = b"") -> list[bytes]:
        """Return the bodies of the records, each with `prefix` (a frame) before it.

        Fields without a column have their default. At least one column must be no Constant: it says how many there are.

        Raises:
            EncodeFault: a column is unknown, missing, of another length, or holds a value that does not fit its type.
        """
        count = self._count(columns)
        parts: list[Iterable[bytes]] = []
        constant = prefix
        for field in self._fields:
            column = columns.get(field.name, field.default)
            if isinstance(column, Constant):
                constant += self._encoded(field, [column.value])[0]
                continue
            if column is None:
                raise EncodeFault(f"{self._name} lacks a column {field.name}")
            parts += [repeat(constant, count), self._encoded(field, column)]
            constant = b""
        parts.append(repeat(constant, count))
        return list(map(b"".join, zip(*parts, strict=True)))

    def _count(self, columns: Mapping[str, Column]) -> int:
        unknown = sorted(columns.keys() - {field.name for field in self._fields})
        if unknown:
            raise EncodeFault(f"{self._name} has no field {', '.join(unknown)}")
        lengths = {name: len(each) for name, each in columns.items() if not isinstance(each, Constant)}
        if len(set(lengths.values())) != 1:
            raise EncodeFault(f"expected columns of {self._name} of one length, got {lengths}")
        return next(iter(lengths.values()))

    def _encoded(self, field: _Field, values: Values) -> list[bytes]:
        try:
            return field.encode(values)
        except (ValueError, TypeError, KeyError, OverflowError, struct.error) as error:
            raise EncodeFault(f"a value does not fit {self._name}.{field.name}: {error!r}") from error


def _field(field: Mapping[str, Any]) -> _Field:
    kind, null = branches(field["type"])
    name = kind["type"] if isinstance(kind, dict) else kind
    if name == "enum":
        encode = _symbols(kind["symbols"])
    elif name in _ENCODERS:
        encode = _ENCODERS[name]
    else:
        raise UnsupportedLayout(f"field {field['name']} of type {name} can't be encoded as a column")
    default = Constant(field["default"]) if "default" in field else None
    return _Field(field["name"], encode if null is None else _nullable(encode, null), default)


def _symbols(symbols: Sequence[str]) -> Encode:
    table = {symbol: encoded_long(number) for number, symbol in enumerate(symbols)}
    return lambda values: [table[value] for value in values]


def _nullable(encode: Encode, null: int) -> Encode:
    null_branch, value_branch = encoded_long(null), encoded_long(1 - null)

    def encode_nullable(values: Sequence[Any]) -> list[bytes]:
        present = iter(encode([value for value in values if value is not None]))
        return [null_branch if value is None else value_branch + next(present) for value in values]

    return encode_nullable


def _texts(values: Sequence[Any]) -> list[bytes]:
    return list(map(encoded_text, values))


def _booleans(values: Sequence[Any]) -> list[bytes]:
    return [_BOOLEANS[value] for value in values]


def _doubles(values: Sequence[Any]) -> list[bytes]:
    return list(map(_DOUBLE, values))


_DOUBLE = struct.Struct("<d").pack
_BOOLEANS = {False: b"\x00", True: b"\x01"}
_ENCODERS: dict[str, Encode] = {
    "string": _texts,
    "long": encoded_longs,
    "double": _doubles,
    "boolean": _booleans,
}
