"""Records as JSON objects: what `produce` takes and `consume` gives."""

from __future__ import annotations

import base64
import binascii
import difflib
import json
import types
import uuid
from collections.abc import Callable, Iterable
from dataclasses import MISSING, fields
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from schemas.records import Record
from schemas.rules import EPOCH, shown
from streams.errors import RecordFault

DEFAULTS: dict[str, Callable[[], object]] = {
    "event_id": lambda: str(uuid.uuid4()),
    "occurred_at": lambda: datetime.now(UTC),
}

_HINTS: dict[type[Record], dict[str, Any]] = {}


def parse_record(kind: type[Record], text: str) -> Record:
    """Return the record of one JSON object.

    Moments are ISO 8601 (without an offset: UTC) or epoch milliseconds, bytes base64. A missing event_id is made up, a
    missing occurred_at is now.

    Raises:
        RecordFault: it is no JSON object, or a field is unknown, missing or of another type; names the field.
    """
    try:
        values = json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise RecordFault(f"expected a JSON object, got {shown(text)}: {error}") from error
    if not isinstance(values, dict):
        raise RecordFault(f"expected a JSON object, got {shown(text)}")
    for name, make in DEFAULTS.items():
        if name in _hints(kind) and values.get(name) is None:
            values[name] = make()
    return _record(kind, values, "")


def render_record(record: Record) -> dict[str, Any]:
    """Return the record as a JSON object that `parse_record` reads back: ISO 8601 moments, base64 bytes."""
    return {field.name: _rendered(getattr(record, field.name)) for field in fields(record)}


def _refuse_constant(text: str) -> None:
    raise ValueError(f"{text} is no JSON number")


def _hints(kind: type[Record]) -> dict[str, Any]:
    if kind not in _HINTS:
        hints = get_type_hints(kind)
        _HINTS[kind] = {field.name: hints[field.name] for field in fields(kind)}
    return _HINTS[kind]


def _record(kind: type[Record], values: dict[str, Any], path: str) -> Record:
    hints = _hints(kind)
    for name in values:
        if name not in hints:
            raise RecordFault(f"unknown field {path + name!r} of {kind.schema_name}{_near(name, hints)}")
    required = [each.name for each in fields(kind) if each.default is MISSING]
    missing = [path + name for name in required if name not in values]
    if missing:
        raise RecordFault(f"{kind.schema_name} lacks {', '.join(missing)}")
    return kind(**{name: _value(hints[name], value, path + name) for name, value in values.items()})


def _near(word: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(word, list(known), n=1)
    return f"; did you mean {near[0]!r}?" if near else f"; there are: {', '.join(known)}"


def _value(hint: Any, value: object, path: str) -> object:  # noqa: ANN401 - type hints have no common type
    if get_origin(hint) in (Union, types.UnionType):
        if value is None:
            return None
        hint = next(each for each in get_args(hint) if each is not type(None))
    if get_origin(hint) is Literal:
        choices = get_args(hint)
        if value not in choices:
            raise RecordFault(f"field {path}: unknown value {shown(value)}{_near(str(value), choices)}")
        return value
    if get_origin(hint) is tuple:
        if not isinstance(value, list):
            raise _unexpected(path, "a list", value)
        return tuple(_value(get_args(hint)[0], each, f"{path}[{i}]") for i, each in enumerate(value))
    if isinstance(hint, type) and issubclass(hint, Record):
        if not isinstance(value, dict):
            raise _unexpected(path, "an object", value)
        return _record(hint, value, f"{path}.")
    return _scalar(hint, value, path)


def _scalar(hint: Any, value: object, path: str) -> object:  # noqa: ANN401
    if hint is datetime:
        return _moment(value, path)
    if hint is bytes:
        return _bytes(value, path)
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if type(value) is not hint:
        raise _unexpected(path, _NAMES[hint], value)
    return value


_NAMES: dict[object, str] = {str: "a text", int: "an integer", float: "a number", bool: "true or false"}


def _moment(value: object, path: str) -> datetime:
    try:
        if isinstance(value, datetime):
            return value
        if isinstance(value, int) and not isinstance(value, bool):
            return EPOCH + timedelta(milliseconds=value)
        if isinstance(value, str):
            moment = datetime.fromisoformat(value)
            return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        pass
    raise _unexpected(path, "an ISO 8601 moment or epoch milliseconds", value)


def _bytes(value: object, path: str) -> bytes:
    try:
        if isinstance(value, str):
            return base64.b64decode(value, validate=True)
    except binascii.Error:
        pass
    raise _unexpected(path, "base64", value)


def _unexpected(path: str, wanted: str, value: object) -> RecordFault:
    return RecordFault(f"field {path}: expected {wanted}, got {shown(value)}")


def _rendered(value: object) -> object:
    if isinstance(value, Record):
        return render_record(value)
    if isinstance(value, tuple):
        return [_rendered(each) for each in value]
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return value
