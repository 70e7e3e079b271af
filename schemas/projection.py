"""Projection: the columns of a writer schema as the columns of the reader's, by Avro's rules of resolution."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import polars as pl

from schemas.avro_layout import UnsupportedLayout, branches
from schemas.definitions import AvroSchema

_DTYPES: dict[str, pl.DataType] = {
    "string": pl.String(),
    "enum": pl.String(),
    "bytes": pl.Binary(),
    "int": pl.Int32(),
    "long": pl.Int64(),
    "boolean": pl.Boolean(),
    "float": pl.Float32(),
    "double": pl.Float64(),
}
# A writer's type on the left may be read as those on the right (Avro 1.12, "Schema Resolution").
_PROMOTIONS: dict[str, tuple[str, ...]] = {
    "int": ("int", "long", "float", "double"),
    "long": ("long", "float", "double"),
    "float": ("float", "double"),
    "string": ("string", "bytes"),
    "bytes": ("bytes",),
}


@dataclass(frozen=True, slots=True)
class Projection:
    """Expressions over the columns a container gives; `refused` is true where a symbol is not the reader's."""

    columns: tuple[pl.Expr, ...]
    refused: pl.Expr | None


def reader_dtypes(reader: AvroSchema) -> dict[str, pl.DataType]:
    """Return the columns of a reader schema: enums as String, timestamps as Int64.

    Raises:
        UnsupportedLayout: a field can't be a column.
    """
    return {field["name"]: _DTYPES[_value_kind(field["type"])[0]] for field in reader["fields"]}


def projection_of(writer: AvroSchema, reader: AvroSchema) -> Projection:
    """Build the projection.

    Raises:
        UnsupportedLayout: a type differs in a way only a record-by-record reader resolves (or refuses).
    """
    written = {field["name"]: field for field in writer["fields"]}
    columns, refused = [], []
    for field in reader["fields"]:
        names = (field["name"], *field.get("aliases", ()))
        source = next((written[name] for name in names if name in written), None)
        if source is None:
            columns.append(_default(field))
            continue
        columns.append(_column(source, field))
        refused += _unknown_symbols(source, field)
    return Projection(tuple(columns), pl.any_horizontal(refused) if refused else None)


def _value_kind(kind: Any) -> tuple[str, Any, bool]:  # noqa: ANN401 - Avro types are str, list or dict
    """Return the name of a field's type, the type itself and whether it is nullable."""
    value_kind, null = branches(kind)
    name = value_kind["type"] if isinstance(value_kind, dict) else value_kind
    if name not in _DTYPES:
        raise UnsupportedLayout(f"type {name} can't be a column")
    return name, value_kind, null is not None


def _column(source: dict[str, Any], target: dict[str, Any]) -> pl.Expr:
    written, written_kind, written_null = _value_kind(source["type"])
    wanted, wanted_kind, wanted_null = _value_kind(target["type"])
    if wanted not in _PROMOTIONS.get(written, (written,)) or (written_null and not wanted_null):
        raise UnsupportedLayout(f"{target['name']}: {written} is not read as {wanted} column by column")
    column = pl.col(source["name"])
    if written == "enum":
        default = wanted_kind.get("default")
        known = set(wanted_kind["symbols"])
        shown = [symbol if symbol in known else default for symbol in written_kind["symbols"]]
        column = column.replace_strict(range(len(shown)), shown, return_dtype=pl.String, default=None)
    return column.cast(_DTYPES[wanted]).alias(target["name"])


def _unknown_symbols(source: dict[str, Any], target: dict[str, Any]) -> list[pl.Expr]:
    written, written_kind, _ = _value_kind(source["type"])
    if written != "enum":
        return []
    _, wanted_kind, _ = _value_kind(target["type"])
    known = set(wanted_kind["symbols"])
    unknown = [number for number, symbol in enumerate(written_kind["symbols"]) if symbol not in known]
    if not unknown or wanted_kind.get("default") in known:
        return []
    return [pl.col(source["name"]).is_in(unknown).fill_null(value=False)]


def _default(target: dict[str, Any]) -> pl.Expr:
    if "default" not in target:
        raise UnsupportedLayout(f"{target['name']} was not written and has no default")
    name, _, _ = _value_kind(target["type"])
    value = target["default"]
    if name == "bytes" and value is not None:
        value = value.encode("latin-1")
    return pl.lit(value, dtype=_DTYPES[name]).alias(target["name"])
