"""Reading the bodies of any writer schema as records of ours: Avro's resolution, built once for a pair of schemas.

fastavro resolves too, and takes the writer's logical types for the reader's, knows no aliases of the writer, and takes
a branch or symbol of a negative number for one from behind. So it reads what was written with our own schema, and this
reads the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from schemas.codec.avro_types import Array, AvroType, Enum, Field, Map, Primitive, Record, Union, plain_name
from schemas.codec.body import PRIMITIVE_READS, Body, Skipper
from schemas.codec.conversions import MOMENT, Conversion, conversion, sources_of
from schemas.errors import Unresolvable

Read = Callable[[Body], Any]
Moment = Callable[[int], Any]

_LONG_LIMIT = 1 << 63


def reading(writer: AvroType, reader: Record, moment: Moment) -> Read:
    """Return what reads a body of the writer as a dict of the reader's fields; `moment` makes what milliseconds become.

    It raises as Body does, ValueError for a value that the reader has no place for, and what `moment` raises.

    Raises:
        Unresolvable: no body of the writer is a record of the reader; says which field and why.
    """
    try:
        return _Resolver(moment).read(writer, reader)
    except RecursionError as error:
        raise Unresolvable("its types are nested too deeply") from error


class _Resolver:
    def __init__(self, moment: Moment) -> None:
        self._moment = moment
        self._skipper = Skipper()

    def read(self, writer: AvroType, reader: AvroType) -> Read:
        if isinstance(writer, Union):
            return self._written_union(writer, reader)
        if isinstance(reader, Union):
            return self._wanted_union(writer, reader)
        if isinstance(writer, Record) and isinstance(reader, Record):
            return self._record(writer, reader)
        if isinstance(writer, Array) and isinstance(reader, Array):
            return self._array(writer, reader)
        if isinstance(writer, Enum) and isinstance(reader, Enum):
            return _enum(writer, reader)
        if isinstance(writer, Primitive) and isinstance(reader, Primitive):
            return self._primitive(writer, reader)
        raise _mismatch(writer, reader)

    def _written_union(self, writer: Union, reader: AvroType) -> Read:
        branches = [self._branch(each, writer, reader) for each in writer.branches]
        if all(isinstance(each, Unresolvable) for each in branches):
            raise Unresolvable("; ".join(dict.fromkeys(map(str, branches))) or "it is a union without branches")
        reads = [_refusing(each) if isinstance(each, Unresolvable) else each for each in branches]
        return lambda body: reads[body.read_branch(len(reads))](body)

    def _branch(self, branch: AvroType, writer: Union, reader: AvroType) -> Read | Unresolvable:
        """Return how a branch is read, or why it can't be: of several records only the one of the reader's name is."""
        alike = [each for each in writer.branches if type(each) is type(branch)]
        if isinstance(branch, Record | Enum) and len(alike) > 1 and not _is_named_in(branch, reader):
            return Unresolvable(f"{branch.name} is another branch than {shown_type(reader)}")
        try:
            return self.read(branch, reader)
        except Unresolvable as reason:
            return reason

    def _wanted_union(self, writer: AvroType, reader: Union) -> Read:
        reasons = []
        for branch in reader.branches:
            try:
                return self.read(writer, branch)
            except Unresolvable as reason:
                reasons.append(str(reason))
        raise Unresolvable(reasons[-1])

    def _record(self, writer: Record, reader: Record) -> Read:
        sources = {number: name for name, number in sources_of(writer, reader).items()}
        wanted = {each.name: each for each in reader.fields}
        steps = [
            (sources.get(number), self._field(written, wanted.get(sources.get(number, ""))))
            for number, written in enumerate(writer.fields)
        ]
        written_names = set(sources.values())
        defaults = {each.name: self._default(each) for each in reader.fields if each.name not in written_names}
        return _record_read(steps, defaults)

    def _field(self, written: Field, wanted: Field | None) -> Read:
        if wanted is None:
            return self._skipper.skip(written.type)
        try:
            return _at_field(wanted.name, self.read(written.type, wanted.type))
        except Unresolvable as reason:
            raise Unresolvable(f"{wanted.name}: {reason}") from reason

    def _default(self, field: Field) -> Any:  # noqa: ANN401
        """Return the value of a reader's default; Avro writes those of bytes as text of the code points 0 to 255."""
        kinds = _branches(field.type)
        if isinstance(field.default, str) and Primitive("bytes") in kinds:
            return field.default.encode("latin-1")
        if isinstance(field.default, int) and Primitive("long", MOMENT) in kinds:
            return self._moment(field.default)
        return field.default

    def _array(self, writer: Array, reader: Array) -> Read:
        item = self.read(writer.items, reader.items)

        def read(body: Body) -> list[Any]:
            items: list[Any] = []
            for count in body.blocks():
                body.check_items(count)
                items += [item(body) for _ in range(count)]
            return items

        return read

    def _primitive(self, writer: Primitive, reader: Primitive) -> Read:
        found = conversion(writer, reader)
        if found is None:
            raise _mismatch(writer, reader)
        read = PRIMITIVE_READS[writer.name]
        convert = _scaled(found, self._moment) if found.kind == "moment" else _CONVERTS[found.kind]
        return read if convert is None else lambda body: convert(read(body))


_CONVERTS: dict[str, Callable[[Any], Any] | None] = {
    "same": None,
    "float": float,
    "text": bytes.decode,
    "bytes": str.encode,
}


def _scaled(found: Conversion, moment: Moment) -> Callable[[int], Any]:
    def convert(number: int) -> Any:  # noqa: ANN401
        milliseconds = number * found.times // found.per
        if not -_LONG_LIMIT <= milliseconds < _LONG_LIMIT:
            raise ValueError(f"expected a moment, got {milliseconds} ms since 1970")
        return moment(milliseconds)

    return convert


def _enum(writer: Enum, reader: Enum) -> Read:
    known = set(reader.symbols)
    default = reader.default if reader.default in known else None
    symbols = [symbol if symbol in known else default for symbol in writer.symbols]

    def read(body: Body) -> str:
        number = body.read_index(len(symbols))
        symbol = symbols[number]
        if symbol is None:
            raise ValueError(f"expected one of {', '.join(reader.symbols)}, got {writer.symbols[number]}")
        return symbol

    return read


def _record_read(steps: Sequence[tuple[str | None, Read]], defaults: Mapping[str, Any]) -> Read:
    def read(body: Body) -> dict[str, Any]:
        found = dict(defaults)
        for name, step in steps:
            value = step(body)
            if name is not None:
                found[name] = value
        return found

    return read


def _at_field(name: str, read: Read) -> Read:
    def read_field(body: Body) -> Any:  # noqa: ANN401
        try:
            return read(body)
        except (ValueError, EOFError, OverflowError) as error:
            raise ValueError(f"field {name}: {error}") from error

    return read_field


def _refusing(reason: Unresolvable) -> Read:
    def read(_body: Body) -> Any:  # noqa: ANN401
        raise ValueError(str(reason))

    return read


def _branches(kind: AvroType) -> tuple[AvroType, ...]:
    return kind.branches if isinstance(kind, Union) else (kind,)


NamedType = TypeVar("NamedType", Record, Enum)


def _is_named_in(written: Record | Enum, reader: AvroType) -> bool:
    names = {plain_name(each) for each in (written.name, *written.aliases)}
    return any(
        not names.isdisjoint(map(plain_name, (each.name, *each.aliases)))
        for each in _branches(reader)
        if isinstance(each, type(written))
    )


def _mismatch(writer: AvroType, reader: AvroType) -> Unresolvable:
    return Unresolvable(f"expected {shown_type(reader)}, written as {shown_type(writer)}")


def shown_type(kind: AvroType) -> str:
    """Return a type for messages: its name, and its logical type where it has one."""
    if isinstance(kind, Primitive):
        return f"{kind.name} ({kind.logical})" if kind.logical else kind.name
    if isinstance(kind, Union):
        return f"one of {', '.join(map(shown_type, kind.branches))}"
    if isinstance(kind, Array | Map):
        return "an array" if isinstance(kind, Array) else "a map"
    return f"{type(kind).__name__.lower()} {kind.name}"
