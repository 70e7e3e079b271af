"""Flat schemas: records whose fields are single values, which the column codec reads without an object for each."""

from __future__ import annotations

from typing import Any

from schemas.codec.avro_layout import UnsupportedLayout
from schemas.codec.avro_types import AvroType, Enum, Primitive, Record, Union
from schemas.definitions import AvroSchema

_BRANCHES = 2
_NULL = "null"


def flat_kind(kind: AvroType) -> tuple[Primitive | Enum, int | None]:
    """Return the type of values and the number of the null branch, None where the field is not nullable.

    Raises:
        UnsupportedLayout: it is no single value.
    """
    null = None
    if isinstance(kind, Union):
        nulls = [isinstance(each, Primitive) and each.name == _NULL for each in kind.branches]
        if len(nulls) != _BRANCHES or sum(nulls) != 1:
            raise UnsupportedLayout("a union of several types can't be a column")
        null = nulls.index(True)
        kind = kind.branches[1 - null]
    if isinstance(kind, Enum) or (isinstance(kind, Primitive) and kind.name != _NULL):
        return kind, null
    raise UnsupportedLayout(f"a {type(kind).__name__.lower()} can't be a column")


def flat_schema(record: Record) -> AvroSchema:
    """Return the schema of a flat record with what tells how its bytes lie, and nothing else.

    Raises:
        UnsupportedLayout: a field is no single value.
    """
    return {"fields": [{"name": each.name, "type": _plain(*flat_kind(each.type))} for each in record.fields]}


def _plain(kind: Primitive | Enum, null: int | None) -> Any:  # noqa: ANN401 - Avro types are str, list or dict
    plain: Any = kind.name if isinstance(kind, Primitive) else {"type": "enum", "symbols": list(kind.symbols)}
    return plain if null is None else [plain, _NULL][:: -1 if null == 0 else 1]
