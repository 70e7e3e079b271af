"""The BACKWARD rule: a new schema must read what every earlier one wrote, by Avro's own rules of resolution."""

from __future__ import annotations

import json

from avro.compatibility import ReaderWriterCompatibilityChecker, SchemaCompatibilityType
from avro.errors import AvroException
from avro.schema import Field, RecordSchema, Schema, parse

from schemas.definitions import AvroSchema
from schemas.errors import SchemaError

_ADVICE = {
    "reader_field_missing_default_value": "is new and has no default",
    "missing_enum_symbols": "lacks symbols that were written:",
    "missing_union_branch": "lacks a branch that was written:",
    "type_mismatch": "changed its type:",
    "name_mismatch": "has another name;",
    "fixed_size_mismatch": "has another size;",
}


class InvalidSchema(SchemaError):
    """A text is no Avro schema."""


def parsed(schema: AvroSchema) -> Schema:
    """Parse a schema with Avro's own library.

    Raises:
        InvalidSchema: it breaks a rule of Avro (a default of the wrong type, a name twice, an unknown type).
    """
    try:
        return parse(json.dumps(schema))
    except (AvroException, TypeError, AttributeError) as error:
        raise InvalidSchema(f"This is no valid Avro schema: {error}") from error


def backward_faults(reader: AvroSchema, writer: AvroSchema) -> list[str]:
    """Return why `reader` can't read data of `writer`, one line a field; empty when it can.

    Raises:
        InvalidSchema: one of the two is no Avro schema.
    """
    return _faults(parsed(reader), parsed(writer), "")


def _faults(reader: Schema, writer: Schema, path: str) -> list[str]:
    result = ReaderWriterCompatibilityChecker().get_compatibility(reader, writer)
    if result.compatibility is SchemaCompatibilityType.compatible:
        return []
    if isinstance(reader, RecordSchema) and isinstance(writer, RecordSchema) and reader.name == writer.name:
        return [fault for field in reader.fields for fault in _field_faults(field, writer, path)]
    where = f"field {path!r}" if path else f"record {getattr(reader, 'name', '')!r}"
    kinds = sorted({kind.value for kind in result.incompatibilities})
    return [f"{where} {_ADVICE[kind]} {', '.join(sorted(result.messages))}" for kind in kinds]


def _field_faults(field: Field, writer: RecordSchema, path: str) -> list[str]:
    name = field.name
    inner = f"{path}.{name}" if path else name
    names = [name, *(field.props.get("aliases") or [])]
    written = next((writer.fields_dict[each] for each in names if each in writer.fields_dict), None)
    if written is not None:
        return _faults(field.type, written.type, inner)
    return [] if field.has_default else [f"field {inner!r} {_ADVICE['reader_field_missing_default_value']}"]
