"""The working schemas: the .avsc files of schemas/avro/, by the name of their record."""

from __future__ import annotations

import json
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from schemas.codec.avro_types import Record, parse_type
from schemas.errors import SchemaError, UnknownSchema

AvroSchema = dict[str, Any]

PACKAGE_FOLDER = Path(__file__).parent
AVSC_FOLDER = PACKAGE_FOLDER / "avro"


def load_definitions(folder: Path) -> dict[str, AvroSchema]:
    """Read every .avsc file of a folder, by record name.

    Raises:
        SchemaError: a file holds no named Avro record as JSON.
    """
    schemas = {}
    for path in sorted(folder.glob("*.avsc")):
        try:
            schema = json.loads(path.read_text(encoding="utf-8"))
            schemas[str(schema["name"])] = schema
        except (ValueError, KeyError, TypeError) as error:
            raise SchemaError(
                f"{path.name}: expected an Avro record as JSON, got {error!r}; correct the file"
            ) from error
    return schemas


@lru_cache(maxsize=1)
def definitions() -> dict[str, AvroSchema]:
    """Return every working schema by record name, read once."""
    return load_definitions(AVSC_FOLDER)


def definition(schema_name: str) -> AvroSchema:
    """Return the working schema of a record.

    Raises:
        UnknownSchema: no .avsc file defines it.
    """
    if schema_name not in definitions():
        raise UnknownSchema(f"No schema is named {schema_name!r}; there are: {', '.join(sorted(definitions()))}")
    return definitions()[schema_name]


@cache
def working_record(schema_name: str) -> Record:
    """Return the working schema of a record as a typed tree.

    Raises:
        UnknownSchema: no .avsc file defines it.
    """
    record = parse_type(definition(schema_name))
    assert isinstance(record, Record)
    return record


def canonical_text(schema: object) -> str:
    """Return the schema as JSON with sorted keys: two schemas are the same when these texts are."""
    return json.dumps(schema, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
