"""What a written record is read as: which field is which, Avro's promotions, and moments in milliseconds since 1970."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from schemas.codec.avro_types import Field, NoDefault, Primitive, Record
from schemas.errors import Unresolvable


def sources_of(writer: Record, reader: Record) -> dict[str, int]:
    """Return, for each field of the reader that was written, the number of the writer's field.

    Raises:
        Unresolvable: a field could be one of several, or has neither been written nor a default; says which.
    """
    sources: dict[str, int] = {}
    for number, written in enumerate(writer.fields):
        wanted = [each.name for each in reader.fields if _is_same(written, each)]
        if len(wanted) > 1:
            raise Unresolvable(
                f"field {written.name} is, by its aliases, each of {', '.join(wanted)}; keep one of the aliases"
            )
        for name in wanted:
            if name in sources:
                others = f"{writer.fields[sources[name]].name} and {written.name}"
                raise Unresolvable(f"field {name} is, by name or alias, both {others}; keep one of the names")
            sources[name] = number
    missing = [each.name for each in reader.fields if each.name not in sources and each.default is NoDefault]
    if missing:
        raise Unresolvable(f"No default value for field {', '.join(missing)}, and the writer has none of that name")
    return sources


def _is_same(written: Field, wanted: Field) -> bool:
    return not {written.name, *written.aliases}.isdisjoint((wanted.name, *wanted.aliases))


MOMENT = "timestamp-millis"
_DAY_MS = 24 * 3600 * 1000
_MICROS = 1_000
_NANOS = 1_000_000

Kind = Literal["same", "float", "text", "bytes", "moment"]


@dataclass(frozen=True, slots=True)
class Conversion:
    """What becomes of a written value; a moment is `times` it over `per`, rounded down."""

    kind: Kind
    times: int = 1
    per: int = 1


# Milliseconds in the unit of each logical type; a local time names no zone, and is taken for UTC.
_MOMENTS: dict[str, Conversion] = {
    MOMENT: Conversion("moment"),
    "local-timestamp-millis": Conversion("moment"),
    "timestamp-micros": Conversion("moment", per=_MICROS),
    "local-timestamp-micros": Conversion("moment", per=_MICROS),
    "timestamp-nanos": Conversion("moment", per=_NANOS),
    "local-timestamp-nanos": Conversion("moment", per=_NANOS),
    "date": Conversion("moment", times=_DAY_MS),
}
# Numbers that count something else than themselves: they are neither a moment nor a plain number.
_OTHER_UNITS = frozenset(("time-millis", "time-micros", "decimal", "big-decimal", "duration"))
# A writer's type on the left may be read as those on the right (Avro 1.12, "Schema Resolution").
_PROMOTIONS: dict[tuple[str, str], Kind] = {
    ("int", "long"): "same",
    ("int", "float"): "float",
    ("int", "double"): "float",
    ("long", "float"): "float",
    ("long", "double"): "float",
    ("float", "double"): "same",
    ("string", "bytes"): "bytes",
    ("bytes", "string"): "text",
}


def conversion(written: Primitive, wanted: Primitive) -> Conversion | None:
    """Return how a written type is read as the wanted one, None where it can't be.

    A logical type nobody knows is ignored, as Avro says. One that gives a number another unit is not: milliseconds of
    a day are no count.
    """
    unit = None if written.name == "string" else written.logical
    if unit in _OTHER_UNITS:
        return None
    if wanted.logical == MOMENT:
        return _MOMENTS.get(unit or "", _MOMENTS[MOMENT]) if written.name in ("int", "long") else None
    if unit in _MOMENTS:
        return None
    if written.name == wanted.name:
        return Conversion("same")
    kind = _PROMOTIONS.get((written.name, wanted.name))
    return None if kind is None else Conversion(kind)
