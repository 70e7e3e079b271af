"""Projection: the columns of a writer schema as the columns of the reader's, by the rules that rows are read by."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import polars as pl

from schemas.codec.avro_container import column_name
from schemas.codec.avro_layout import UnsupportedLayout
from schemas.codec.avro_types import Enum, Field, NoDefault, Primitive, Record
from schemas.codec.conversions import conversion, sources_of
from schemas.codec.flat_schema import flat_kind

_ENUM_DTYPE = pl.String()
_DTYPES: dict[str, pl.DataType] = {
    "string": pl.String(),
    "bytes": pl.Binary(),
    "int": pl.Int32(),
    "long": pl.Int64(),
    "boolean": pl.Boolean(),
    "float": pl.Float32(),
    "double": pl.Float64(),
}


@dataclass(frozen=True, slots=True)
class Projection:
    """Expressions over the columns a container gives; `refused` is true where a value has no place in the reader's."""

    columns: tuple[pl.Expr, ...]
    refused: pl.Expr | None


def reader_dtypes(reader: Record) -> dict[str, pl.DataType]:
    """Return the columns of a reader schema: enums as String, timestamps as Int64.

    Raises:
        UnsupportedLayout: a field can't be a column.
    """
    return {field.name: _dtype(flat_kind(field.type)[0]) for field in reader.fields}


def projection_of(writer: Record, reader: Record) -> Projection:
    """Build the projection.

    Raises:
        UnsupportedLayout: a type differs in a way only a record-by-record reader resolves (or refuses).
        Unresolvable: a field could be one of several, or was not written and has no default.
    """
    sources = sources_of(writer, reader)
    columns: list[pl.Expr] = []
    refused: list[pl.Expr] = []
    for field in reader.fields:
        if field.name not in sources:
            columns.append(_default(field))
            continue
        number = sources[field.name]
        columns.append(_column(column_name(number), writer.fields[number], field))
        refused += _refused(column_name(number), writer.fields[number], field)
    return Projection(tuple(columns), pl.any_horizontal(refused) if refused else None)


def _dtype(kind: Primitive | Enum) -> pl.DataType:
    return _ENUM_DTYPE if isinstance(kind, Enum) else _DTYPES[kind.name]


def _column(source: str, written: Field, wanted: Field) -> pl.Expr:
    written_kind, wanted_kind = flat_kind(written.type)[0], flat_kind(wanted.type)[0]
    column = pl.col(source)
    if isinstance(written_kind, Enum) and isinstance(wanted_kind, Enum):
        column = column.replace_strict(
            range(len(written_kind.symbols)), _symbols(written_kind, wanted_kind), return_dtype=pl.String, default=None
        )
    elif isinstance(written_kind, Primitive) and isinstance(wanted_kind, Primitive):
        column = _converted(column, written_kind, wanted_kind)
    else:
        raise UnsupportedLayout(f"{wanted.name} is an enum of one side only")
    return column.cast(_dtype(wanted_kind)).alias(wanted.name)


def _converted(column: pl.Expr, written: Primitive, wanted: Primitive) -> pl.Expr:
    """Return the column in the reader's unit; what could overflow or be no text is left to the row codec."""
    found = conversion(written, wanted)
    if found is None or found.kind in ("text", "bytes") or found.times != 1:
        raise UnsupportedLayout(f"{written.name} is not read as {wanted.name} column by column")
    return column if found.per == 1 else column // found.per


def _symbols(written: Enum, wanted: Enum) -> list[str | None]:
    """Return what each written symbol is read as, None for one that the reader does not know."""
    default = wanted.default if wanted.default in wanted.symbols else None
    return [symbol if symbol in wanted.symbols else default for symbol in written.symbols]


def _refused(source: str, written: Field, wanted: Field) -> list[pl.Expr]:
    """Return where a value is a null or a symbol that the reader has no place for."""
    refused = []
    written_kind, written_null = flat_kind(written.type)
    wanted_kind, wanted_null = flat_kind(wanted.type)
    if written_null is not None and wanted_null is None:
        refused.append(pl.col(source).is_null())
    if isinstance(written_kind, Enum) and isinstance(wanted_kind, Enum):
        shown = _symbols(written_kind, wanted_kind)
        unknown = [number for number, symbol in enumerate(shown) if symbol is None]
        if unknown:
            refused.append(pl.col(source).is_in(unknown).fill_null(value=False))
    return refused


def _default(wanted: Field) -> pl.Expr:
    if wanted.default is NoDefault:
        raise UnsupportedLayout(f"{wanted.name} was not written and has no default")
    value: Any = wanted.default
    kind = flat_kind(wanted.type)[0]
    if kind == Primitive("bytes") and value is not None:
        value = value.encode("latin-1")
    return pl.lit(value, dtype=_dtype(kind)).alias(wanted.name)
