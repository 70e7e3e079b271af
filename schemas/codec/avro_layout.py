"""The layout check: walk the bodies of many Avro records at once, field by field, and find those that don't fit.

A body in a container has no length of its own: one that is a byte short shifts every record after it, in silence.
So before a slice is decoded as one container, the place of every field is computed for all records together (numpy),
and a record is good when its last field ends where its value ends, every index is in range and every length fits.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from schemas.definitions import AvroSchema

Bytes = npt.NDArray[np.uint8]
Places = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
Step = Callable[[Bytes, Places, Places], tuple[Places, Flags]]

PADDING_BYTES = (
    16  # zero bytes behind the last body: a varint that starts before its end is read without a bounds check
)
MAX_VARINT_BYTES = 10
MAX_NULLABLE_BRANCHES = 2
_MORE = 0x80
_INT_BITS = 31
# From which value a byte of a varint has another behind it; the tenth has room for the last of 64 bits only.
_VARINT_LIMITS = (*[_MORE] * (MAX_VARINT_BYTES - 1), 2)


class UnsupportedLayout(ValueError):
    """A schema has nested, repeated or fixed fields: its records are decoded one by one."""


@dataclass(frozen=True, slots=True)
class Layout:
    """The fields of a flat record schema in order, each with the step that walks over it."""

    fields: tuple[str, ...]
    steps: tuple[Step, ...]

    def first_faults(self, data: Bytes, starts: Places, ends: Places) -> npt.NDArray[np.int16]:
        """Return for each body the number of the first field that does not fit, or -1 where all do.

        `data` holds all bodies, each from `starts[i]` to `ends[i]`, and at least PADDING_BYTES more at its end.
        Bytes left over behind the last field count as a fault of field number len(fields).
        """
        faults = np.full(len(starts), -1, dtype=np.int16)
        places = starts
        for number, step in enumerate(self.steps):
            places, good = step(data, places, ends)
            good &= places <= ends
            if not good.all():
                bad = ~good
                faults[bad & (faults < 0)] = number
                places = np.where(bad, ends, places)
        faults[(places != ends) & (faults < 0)] = len(self.steps)
        return faults


def layout_of(schema: AvroSchema) -> Layout:
    """Build the layout check of a writer schema.

    Raises:
        UnsupportedLayout: a field is not a string, bytes, number, boolean or enum, or a nullable one of these.
    """
    fields = schema["fields"]
    return Layout(tuple(field["name"] for field in fields), tuple(_step(field["type"]) for field in fields))


def branches(kind: Any) -> tuple[Any, int | None]:  # noqa: ANN401 - Avro types are str, list or dict
    """Return the type of values and the number of the null branch, None where the field is not nullable."""
    if not isinstance(kind, list):
        return kind, None
    if len(kind) != MAX_NULLABLE_BRANCHES or "null" not in kind:
        raise UnsupportedLayout(f"a union of {kind} can't be a column")
    null = kind.index("null")
    return kind[1 - null], null


def _step(kind: Any) -> Step:  # noqa: ANN401
    value_kind, null = branches(kind)
    name = value_kind["type"] if isinstance(value_kind, dict) else value_kind
    if name == "enum":
        step = _index_step(len(value_kind["symbols"]))
    elif isinstance(name, str) and name in _STEPS:
        step = _STEPS[name]
    else:
        raise UnsupportedLayout(f"type {name} can't be a column")
    return step if null is None else _nullable_step(step, null)


def _skip_varint(data: Bytes, places: Places) -> tuple[Places, Flags]:
    places = places.copy()
    good = np.ones(len(places), dtype=np.bool_)
    rows: npt.NDArray[np.intp] | slice = slice(None)
    for limit in _VARINT_LIMITS:
        more = data[places[rows]] >= limit
        places[rows] += 1
        if not more.any():
            return places, good
        if not more.all():
            rows = np.flatnonzero(more) if isinstance(rows, slice) else rows[more]
    good[rows] = False
    return places, good


def _read_varint(data: Bytes, places: Places) -> tuple[Places, Flags, Places]:
    """Return the places behind, whether it is a varint, and the decoded (zigzag) values."""
    after, good = _skip_varint(data, places)
    widths = after - places
    raw = np.zeros(len(places), dtype=np.uint64)
    for number in range(min(int(widths.max(initial=0)), MAX_VARINT_BYTES)):
        septet = (data[places + number] & np.uint8(_MORE - 1)).astype(np.uint64) << np.uint64(7 * number)
        raw |= septet if number == 0 else np.where(number < widths, septet, np.uint64(0))
    values = (raw >> np.uint64(1)).astype(np.int64) ^ -(raw & np.uint64(1)).astype(np.int64)
    return after, good, values


def _long_step(data: Bytes, places: Places, _ends: Places) -> tuple[Places, Flags]:
    return _skip_varint(data, places)


def _int_step(data: Bytes, places: Places, _ends: Places) -> tuple[Places, Flags]:
    after, good, values = _read_varint(data, places)
    return after, good & (values >> _INT_BITS == values >> (_INT_BITS + 1))


def _text_step(data: Bytes, places: Places, ends: Places) -> tuple[Places, Flags]:
    after, good, lengths = _read_varint(data, places)
    good &= (lengths >= 0) & (lengths <= ends - after)
    return after + np.where(good, lengths, 0), good


def _boolean_step(data: Bytes, places: Places, _ends: Places) -> tuple[Places, Flags]:
    return places + 1, data[places] <= 1


def _index_step(count: int) -> Step:
    def step(data: Bytes, places: Places, _ends: Places) -> tuple[Places, Flags]:
        after, good, values = _read_varint(data, places)
        return after, good & (values >= 0) & (values < count)

    return step


def _fixed_step(width: int) -> Step:
    def step(_data: Bytes, places: Places, _ends: Places) -> tuple[Places, Flags]:
        return places + width, np.ones(len(places), dtype=np.bool_)

    return step


def _nullable_step(value_step: Step, null: int) -> Step:
    null_byte, value_byte = (0, 2) if null == 0 else (2, 0)

    def step(data: Bytes, places: Places, ends: Places) -> tuple[Places, Flags]:
        branch = data[places]
        present = branch == value_byte
        good = present | (branch == null_byte)
        places = places + 1
        if present.any():
            rows = np.flatnonzero(present)
            # A branch byte behind the end of a body must not lead its value out of the data.
            places[rows], good[rows] = value_step(data, np.minimum(places[rows], ends[rows]), ends[rows])
        return places, good

    return step


_STEPS: dict[str, Step] = {
    "string": _text_step,
    "bytes": _text_step,
    "long": _long_step,
    "int": _int_step,
    "boolean": _boolean_step,
    "float": _fixed_step(4),
    "double": _fixed_step(8),
}
