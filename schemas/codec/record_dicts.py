"""Records to Avro dicts and back, from the type hints of the record classes."""

from __future__ import annotations

import types
from collections.abc import Callable
from dataclasses import fields
from datetime import datetime
from operator import attrgetter
from typing import Any, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from schemas.errors import EncodeFault
from schemas.records import Record

Convert = Callable[[Any], Any]
R = TypeVar("R", bound=Record)

_WRITERS: dict[type[Record], Convert] = {}
_READERS: dict[type[Record], Convert] = {}


def to_dict(record: Record) -> dict[str, Any]:
    """Return the record as nested dicts, lists and plain values, as fastavro writes them.

    Raises:
        EncodeFault: a datetime has no time zone.
    """
    return cast("dict[str, Any]", _writer(type(record))(record))


def from_dict(kind: type[R], values: dict[str, Any]) -> R:
    """Return the record of a decoded dict: lists become tuples, nested dicts records; `values` may be changed."""
    return cast("R", _reader(kind)(values))


def _writer(kind: type[Record]) -> Convert:
    if kind not in _WRITERS:
        _WRITERS[kind] = _build_writer(kind)
    return _WRITERS[kind]


def _reader(kind: type[Record]) -> Convert:
    if kind not in _READERS:
        _READERS[kind] = _build_reader(kind)
    return _READERS[kind]


def _build_writer(kind: type[Record]) -> Convert:
    names = tuple(field.name for field in fields(kind))
    values_of = attrgetter(*names)
    converts = _field_converts(kind, _outward)

    def write(record: Any) -> dict[str, Any]:  # noqa: ANN401
        values = dict(zip(names, values_of(record), strict=True))
        for name, convert in converts:
            if values[name] is not None:
                values[name] = convert(values[name])
        return values

    return write


def _build_reader(kind: type[Record]) -> Convert:
    converts = _field_converts(kind, _inward)

    def read(values: dict[str, Any]) -> Record:
        for name, convert in converts:
            if values.get(name) is not None:
                values[name] = convert(values[name])
        return kind(**values)

    return read


def _field_converts(kind: type[Record], convert_of: Callable[[Any], Convert | None]) -> list[tuple[str, Convert]]:
    hints = get_type_hints(kind)
    pairs = [(field.name, convert_of(_required(hints[field.name]))) for field in fields(kind)]
    return [(name, convert) for name, convert in pairs if convert is not None]


def _required(hint: Any) -> Any:  # noqa: ANN401 - type hints have no common type
    """Return T of `T | None`."""
    if get_origin(hint) in (Union, types.UnionType):
        return next(each for each in get_args(hint) if each is not type(None))
    return hint


def _inward(hint: Any) -> Convert | None:  # noqa: ANN401
    if isinstance(hint, type) and issubclass(hint, Record):
        return _reader(hint)
    if get_origin(hint) is tuple:
        item = _inward(get_args(hint)[0])
        return tuple if item is None else lambda values: tuple(map(item, values))
    return None


def _outward(hint: Any) -> Convert | None:  # noqa: ANN401
    if hint is datetime:
        return _zoned
    if isinstance(hint, type) and issubclass(hint, Record):
        return _writer(hint)
    if get_origin(hint) is tuple:
        item = _outward(get_args(hint)[0])
        return list if item is None else lambda values: list(map(item, values))
    return None


def _zoned(moment: datetime) -> datetime:
    if not isinstance(moment, datetime) or moment.tzinfo is None:
        raise EncodeFault(f"expected a datetime with time zone (UTC), got {moment!r}")
    return moment
