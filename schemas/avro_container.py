"""An Avro container in memory: framed values of one writer schema, read by Polars in one pass."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from typing import Any

import polars as pl

from schemas.avro_layout import branches
from schemas.definitions import AvroSchema

_SYNC = b"threads-columns!"
_MAGIC = b"Obj\x01"
# The five bytes in front of every body are read as two fields nobody asks for: a boolean takes one byte, a float four.
_FRAME_FIELDS: list[dict[str, Any]] = [{"name": "_magic", "type": "boolean"}, {"name": "_schema_id", "type": "float"}]


@dataclass(frozen=True, slots=True)
class Container:
    """The head of a container for one writer schema, and the columns to read from it."""

    head: bytes
    names: list[str]

    def read(self, framed: bytes, count: int) -> pl.DataFrame:
        """Return the fields of `count` framed values that stand one behind the other.

        Enums come as the Int64 number of their symbol, timestamps as Int64. The layout must have been checked.

        Raises:
            polars.exceptions.ComputeError: a string is no UTF-8.

        """
        block = b"".join((self.head, _long(count), _long(len(framed)), framed, _SYNC))
        return pl.read_avro(io.BytesIO(block), columns=self.names)


def container_of(schema: AvroSchema) -> Container:
    """Build the container of a flat writer schema, with logical types and enums taken down to numbers.

    Raises:
        UnsupportedLayout: a field is nested or a union of several types.

    """
    fields = [{"name": field["name"], "type": _plain(field["type"])} for field in schema["fields"]]
    plain = {"type": "record", "name": "Framed", "fields": _FRAME_FIELDS + fields}
    meta = (("avro.schema", json.dumps(plain).encode()), ("avro.codec", b"null"))
    pairs = b"".join(_long(len(part)) + part for key, text in meta for part in (key.encode(), text))
    head = _MAGIC + _long(len(meta)) + pairs + b"\x00" + _SYNC
    return Container(head, [field["name"] for field in schema["fields"]])


def _plain(kind: Any) -> Any:  # noqa: ANN401 - Avro types are str, list or dict
    value_kind, null = branches(kind)
    name = value_kind["type"] if isinstance(value_kind, dict) else value_kind
    plain = "long" if name in ("enum", "int") else name
    return plain if null is None else [plain, "null"][:: -1 if null == 0 else 1]


def _long(number: int) -> bytes:
    """Encode a count or a length as Avro does (zigzag varint)."""
    rest, encoded = number << 1, bytearray()
    while rest > 0x7F:  # noqa: PLR2004 - seven bits a byte
        encoded.append(rest & 0x7F | 0x80)
        rest >>= 7
    encoded.append(rest)
    return bytes(encoded)
