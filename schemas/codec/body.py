"""The body of one Avro value, read or passed over from front to back; every index, length and range is checked."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from typing import Any

from schemas.codec.avro_primitives import encoded_long
from schemas.codec.avro_types import Array, AvroType, Enum, Fixed, Map, Primitive, Record, Union

_MORE = 0x80
_GROUP_BITS = 7
_LONG_BITS = 64
_INT_LIMIT = 1 << 31
_float = struct.Struct("<f").unpack
_double = struct.Struct("<d").unpack


class Body:
    """The bytes of a value and the place to read on from.

    Every read moves the place, and raises ValueError where the bytes are no such value, EOFError where they end.
    """

    __slots__ = ("at", "data")

    def __init__(self, data: bytes, at: int = 0) -> None:
        self.data = data
        self.at = at

    def take(self, size: int) -> bytes:
        end = self.at + size
        if size < 0 or end > len(self.data):
            raise EOFError(f"expected {size} bytes at {self.at}, there are {len(self.data) - self.at}")
        taken = self.data[self.at : end]
        self.at = end
        return taken

    def read_long(self) -> int:
        number = shift = 0
        while True:
            (byte,) = self.take(1)
            number |= (byte & (_MORE - 1)) << shift
            if byte < _MORE:
                break
            shift += _GROUP_BITS
            if shift >= _LONG_BITS:
                raise ValueError(f"expected a number of at most 10 bytes before {self.at}")
        if number >> _LONG_BITS:
            raise ValueError(f"expected a number of 64 bits before {self.at}")
        return (number >> 1) ^ -(number & 1)

    def read_int(self) -> int:
        number = self.read_long()
        if not -_INT_LIMIT <= number < _INT_LIMIT:
            raise ValueError(f"expected a number of 32 bits, got {number}")
        return number

    def read_index(self, count: int) -> int:
        number = self.read_long()
        if not 0 <= number < count:
            raise ValueError(f"expected a number from 0 to {count - 1} of a symbol or a branch, got {number}")
        return number

    def read_branch(self, count: int) -> int:
        """Return the number of a union's branch; one that is written longer than it is, as no writer does, is none."""
        start = self.at
        number = self.read_index(count)
        if self.at - start > 1 and self.at - start > len(encoded_long(number)):
            raise ValueError(f"expected the branch of a union at {start}, got {number} in {self.at - start} bytes")
        return number

    def read_boolean(self) -> bool:
        (byte,) = self.take(1)
        if byte > 1:
            raise ValueError(f"expected 0 or 1 for false or true, got {byte}")
        return bool(byte)

    def read_float(self) -> Any:  # noqa: ANN401 - struct's values are untyped
        return _float(self.take(4))[0]

    def read_double(self) -> Any:  # noqa: ANN401
        return _double(self.take(8))[0]

    def read_bytes(self) -> bytes:
        return self.take(self.read_long())

    def read_text(self) -> str:
        return self.take(self.read_long()).decode()

    def blocks(self) -> Iterator[int]:
        """Yield the number of items in each block of an array or a map; who asks reads them before asking again."""
        while count := self.read_long():
            if count < 0:
                self.read_long()  # the bytes of the block, for readers in a hurry
            yield abs(count)

    def check_items(self, count: int) -> None:
        """Refuse more items than there are bytes: garbage names up to 2**63 of them."""
        if count > len(self.data) - self.at:
            raise EOFError(f"expected {count} items at {self.at}, there are {len(self.data) - self.at} bytes")


PRIMITIVE_READS: dict[str, Callable[[Body], Any]] = {
    "null": lambda _: None,
    "boolean": Body.read_boolean,
    "int": Body.read_int,
    "long": Body.read_long,
    "float": Body.read_float,
    "double": Body.read_double,
    "bytes": Body.read_bytes,
    "string": Body.read_text,
}


Skip = Callable[[Body], object]


class Skipper:
    """Build skips; a record that holds itself is built once."""

    def __init__(self) -> None:
        self._records: dict[int, list[Skip]] = {}
        self._without_bytes: dict[int, bool] = {}

    def skip(self, kind: AvroType) -> Skip:
        """Return what passes over one value of the type."""
        if self._takes_no_bytes(kind):
            return _nothing
        if isinstance(kind, Primitive):
            return PRIMITIVE_READS[kind.name]
        if isinstance(kind, Fixed):
            return lambda body: body.take(kind.size)
        if isinstance(kind, Enum):
            return lambda body: body.read_index(len(kind.symbols))
        if isinstance(kind, Union):
            return self._union(kind)
        return self._record(kind) if isinstance(kind, Record) else self._repeated(kind)

    def _union(self, kind: Union) -> Skip:
        skips = [self.skip(each) for each in kind.branches]
        return lambda body: skips[body.read_branch(len(skips))](body)

    def _record(self, kind: Record) -> Skip:
        if id(kind) not in self._records:
            self._records[id(kind)] = steps = []
            steps += [self.skip(each.type) for each in kind.fields]
        steps = self._records[id(kind)]

        def skip(body: Body) -> None:
            for step in steps:
                step(body)

        return skip

    def _repeated(self, kind: Array | Map) -> Skip:
        value = self.skip(kind.items if isinstance(kind, Array) else kind.values)
        item = value if isinstance(kind, Array) else lambda body: (body.read_text(), value(body))

        def skip(body: Body) -> None:
            for count in body.blocks():
                if item is _nothing:  # of a billion nulls there is not one byte to pass over
                    continue
                body.check_items(count)
                for _ in range(count):
                    item(body)

        return skip

    def _takes_no_bytes(self, kind: AvroType) -> bool:
        """Tell whether values of the type are no bytes; a record that holds itself without end has no values at all."""
        if not isinstance(kind, Record):
            return (isinstance(kind, Primitive) and kind.name == "null") or (isinstance(kind, Fixed) and kind.size == 0)
        if id(kind) not in self._without_bytes:
            self._without_bytes[id(kind)] = False
            self._without_bytes[id(kind)] = all(self._takes_no_bytes(each.type) for each in kind.fields)
        return self._without_bytes[id(kind)]


def _nothing(_body: Body) -> None:
    """Pass over no bytes."""
