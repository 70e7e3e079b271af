"""An Avro container file, read block by block, with its logical types: dates, timestamps, decimals, UUIDs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import fastavro
from fastavro.read import SchemaResolutionError

from agents.importing.cells.visible_text import ImportFault
from agents.importing.sources.content import BUFFER_BYTES, digest_file
from agents.importing.sources.nested import flattened
from agents.importing.sources.source import Digest, FileOnDisk, IsHeader, Row, Table, Unit

AVRO_MAGIC = b"Obj\x01"


@dataclass(frozen=True, slots=True)
class AvroFile(FileOnDisk):
    """An Avro container file; nested records are columns with dotted names."""

    path: Path

    @property
    def unit(self) -> Unit:
        """Return that places are records."""
        return "record"

    @property
    def described(self) -> str:
        """Return what it is."""
        return "Avro container"

    @contextmanager
    def open(self, digest: Digest | None = None, is_header: IsHeader | None = None) -> Iterator[Table]:  # noqa: ARG002
        """Open the file.

        Raises:
            ImportFault: it can't be read, or it is cut off or broken.
        """
        try:
            digest_file(self.path, digest)
            with self.path.open("rb", buffering=BUFFER_BYTES) as stream:
                reader = fastavro.reader(stream)
                columns = dict(_columns(reader.writer_schema))
                yield Table(list(columns), _rows(reader, list(columns)), self, types=columns)
        except OSError as error:
            why = error.strerror or error
            raise ImportFault(f"{self.path}: can't be read ({why}); check the path and its permissions.") from None
        except (EOFError, ValueError, KeyError, IndexError, TypeError, OverflowError, SchemaResolutionError) as error:
            why = str(error) or type(error).__name__
            raise ImportFault(
                f"{self.name}: not readable as an Avro container ({why}); it is cut off or broken, or packed with a "
                "codec that is not here: fetch it again, or write it with deflate, snappy or zstandard."
            ) from None


def _columns(schema: Any, prefix: str = "") -> Iterator[tuple[str, str]]:  # noqa: ANN401 - Avro types are str, list or dict
    """Yield the columns of a record's schema and their types; of a union with null the other type."""
    for each in schema["fields"]:
        kinds = [kind for kind in _several(each["type"]) if kind != "null"]
        if len(kinds) == 1 and isinstance(kinds[0], dict) and kinds[0].get("type") == "record":
            yield from _columns(kinds[0], f"{prefix}{each['name']}.")
        else:
            yield prefix + each["name"], " or ".join(map(_type_name, kinds))


def _several(kind: Any) -> list[Any]:  # noqa: ANN401 - Avro types are str, list or dict
    return kind if isinstance(kind, list) else [kind]


def _type_name(kind: Any) -> str:  # noqa: ANN401 - Avro types are str, list or dict
    return str(kind.get("logicalType") or kind["type"]) if isinstance(kind, dict) else str(kind)


def _rows(records: Any, header: list[str]) -> Iterator[Row]:  # noqa: ANN401 - fastavro's reader
    for number, record in enumerate(records, start=1):
        values = dict(flattened(record))
        yield Row(number, number, [values.get(name) for name in header])
