"""Passing over what a writer wrote and the reader does not want, as strictly as it would be read."""

from __future__ import annotations

from collections.abc import Callable

from schemas.codec.avro_types import Array, AvroType, Enum, Fixed, Map, Primitive, Record, Union
from schemas.codec.body import PRIMITIVE_READS, Body

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
