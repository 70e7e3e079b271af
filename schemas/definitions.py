"""The working schemas: the .avsc files of schemas/avro/, by the name of their record."""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path
from typing import Any

from schemas.errors import UnknownSchema

AvroSchema = dict[str, Any]

PACKAGE_FOLDER = Path(__file__).parent
AVSC_FOLDER = PACKAGE_FOLDER / "avro"


@lru_cache(maxsize=1)
def definitions() -> dict[str, AvroSchema]:
    """Return every working schema by record name, read once."""
    schemas = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(AVSC_FOLDER.glob("*.avsc"))]
    return {schema["name"]: schema for schema in schemas}


def definition(schema_name: str) -> AvroSchema:
    """Return the working schema of a record.

    Raises:
        UnknownSchema: no .avsc file defines it.
    """
    if schema_name not in definitions():
        raise UnknownSchema(f"No schema is named {schema_name!r}; there are: {', '.join(sorted(definitions()))}")
    return definitions()[schema_name]


def canonical_text(schema: object) -> str:
    """Return the schema as JSON with sorted keys: two schemas are the same when these texts are."""
    return json.dumps(schema, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
