"""The columns of a record: one for each field, but for what a table says differs; no other list of them is kept."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from operator import attrgetter
from typing import Any, Generic, TypeVar, get_args, get_origin, get_type_hints

from psycopg.types.json import Jsonb

from schemas.records import Record
from sinks.postgres.statements import Row

R = TypeVar("R", bound=Record)


class RecordColumns(Generic[R]):
    """The fields of a kind of record as columns, in their order.

    `renamed` gives a field a column of another name, `left_out` names those without one. An array of texts is an array,
    an array of records is jsonb. Any other field with parts is left out: its columns are the table's to say.
    """

    def __init__(
        self, record: type[R], *, renamed: Mapping[str, str] | None = None, left_out: Sequence[str] = ()
    ) -> None:
        """Take the record and what differs.

        Raises:
            TypeError: the record does not have a field that is named, or has one with parts that is not left out.
        """
        renamed, hints = renamed or {}, get_type_hints(record)
        names = [field.name for field in fields(record)]
        unknown = sorted({*renamed, *left_out} - set(names))
        if unknown:
            raise TypeError(f"{record.__name__} has no field {', '.join(unknown)}: say it here as the .avsc file does")
        kept = [name for name in names if name not in left_out]
        self._columns = [renamed.get(name, name) for name in kept]
        self._values = _getter(kept)
        stored = [(renamed.get(name, name), _stored(hints[name], f"{record.__name__}.{name}")) for name in kept]
        self._arrays = [(column, convert) for column, convert in stored if convert is not None]

    @property
    def nothing(self) -> Row:
        """Return the row of no record: each column without a value."""
        return dict.fromkeys(self._columns)

    def row(self, record: R) -> Row:
        """Return the values of a record by column."""
        row: Row = dict(zip(self._columns, self._values(record), strict=True))
        for column, convert in self._arrays:
            row[column] = convert(row[column])
        return row


def _getter(names: Sequence[str]) -> Callable[[Any], Sequence[object]]:
    """Return what reads these fields; the way that is quickest of many gives no sequence of one."""
    return attrgetter(*names) if len(names) > 1 else lambda record: [getattr(record, name) for name in names]


def _stored(hint: object, path: str) -> Callable[[Any], object] | None:
    """Return how values of a field are handed to PostgreSQL, None for as they are."""
    parts = get_args(hint) or (hint,)
    has_records = any(isinstance(each, type) and issubclass(each, Record) for each in parts)
    is_array = get_origin(hint) is tuple
    if is_array and has_records:
        return _as_json(RecordColumns(parts[0]))
    if is_array and parts[0] is str:
        return list
    if is_array or has_records:
        raise TypeError(f"{path} has parts: leave it out here, and say in the table which columns they are")
    return None


def _as_json(columns: RecordColumns[Any]) -> Callable[[Sequence[Record]], Jsonb]:
    return lambda records: Jsonb([columns.row(each) for each in records])
