"""An Avro container in memory: framed values of one writer schema, read by Polars in one pass."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from schemas.codec.avro_layout import PADDING_BYTES, branches
from schemas.codec.avro_primitives import encoded_long
from schemas.definitions import AvroSchema

_SYNC = b"threads-columns!"
assert len(_SYNC) >= PADDING_BYTES
_MAGIC = b"Obj\x01"
# The five bytes in front of every body are read as two fields nobody asks for: a boolean takes one byte, a float four.
_FRAME_FIELDS: list[dict[str, Any]] = [{"name": "_magic", "type": "boolean"}, {"name": "_schema_id", "type": "float"}]


@dataclass(frozen=True, slots=True)
class Block:
    """A container of framed values, and where each value starts and ends in it; the sync marker is its padding."""

    text: bytes
    starts: npt.NDArray[np.int64]
    ends: npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Container:
    """The head of a container for one writer schema, and the columns to read from it: fields by their number."""

    head: bytes
    names: list[str]

    def filled(self, values: Sequence[bytes]) -> Block:
        """Return the container of values, each with its frame.

        Raises:
            TypeError: one of the values is None.
        """
        lengths = np.fromiter(map(len, values), dtype=np.int64, count=len(values))
        ends = np.cumsum(lengths)
        head = b"".join((self.head, encoded_long(len(values)), encoded_long(int(ends[-1]))))
        ends += len(head)
        return Block(b"".join((head, *values, _SYNC)), ends - lengths, ends)

    def read(self, block: Block) -> pl.DataFrame:
        """Return the fields of all values of a block whose frames and layout are good.

        Enums come as the Int64 number of their symbol, ints and timestamps as Int64.

        Raises:
            polars.exceptions.ComputeError: a string is no UTF-8.
        """
        return pl.read_avro(io.BytesIO(block.text), columns=self.names)


def container_of(schema: AvroSchema) -> Container:
    """Build the container of a flat writer schema, with logical types and enums taken down to numbers.

    Raises:
        UnsupportedLayout: a field is nested or a union of several types.
    """
    fields = [
        {"name": column_name(number), "type": _plain(field["type"])} for number, field in enumerate(schema["fields"])
    ]
    plain = {"type": "record", "name": "Framed", "fields": _FRAME_FIELDS + fields}
    meta = (("avro.schema", json.dumps(plain).encode()), ("avro.codec", b"null"))
    pairs = b"".join(encoded_long(len(part)) + part for key, text in meta for part in (key.encode(), text))
    head = _MAGIC + encoded_long(len(meta)) + pairs + b"\x00" + _SYNC
    return Container(head, [field["name"] for field in fields])


def column_name(number: int) -> str:
    """Return the name of the column of a writer's field: its own may be one that Polars does not take."""
    return f"_{number}"


def _plain(kind: Any) -> Any:  # noqa: ANN401 - Avro types are str, list or dict
    value_kind, null = branches(kind)
    name = value_kind["type"] if isinstance(value_kind, dict) else value_kind
    plain = "long" if name in ("enum", "int") else name
    return plain if null is None else [plain, "null"][:: -1 if null == 0 else 1]
