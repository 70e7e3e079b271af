"""Rows of counters as bytes: a stamp and the counters that are not zero, which are few."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]

_STAMP_BYTES = 8
_PLACE_BYTES = 2
_ENTRY_BYTES = _PLACE_BYTES + 8


def encode_rows(stamps: Ints, values: Ints) -> list[bytes]:
    """Return each row as bytes: the stamp, the places of its n counters that are not zero, and these counters.

    Shapes (rows,) and (rows, width), a width of at most 65,536. Stamp and counters are little-endian int64, places
    little-endian uint16: 8 + 10 * n bytes.
    """
    row, place = np.nonzero(values)
    ends = np.cumsum(np.bincount(row, minlength=len(stamps))) if len(stamps) else row
    starts = stamps.astype("<i8").tobytes()
    places, amounts = place.astype("<u2").tobytes(), values[row, place].astype("<i8").tobytes()
    return [
        starts[8 * number : 8 * number + 8] + places[2 * first : 2 * end] + amounts[8 * first : 8 * end]
        for number, (first, end) in enumerate(pairwise([0, *ends.tolist()]))
    ]


def decode_rows(encoded: Sequence[bytes], width: int) -> tuple[Ints, Ints]:
    """Return the stamps, shape (rows,), and the counters, shape (rows, width)."""
    counts = [(len(each) - _STAMP_BYTES) // _ENTRY_BYTES for each in encoded]
    stamps = np.frombuffer(b"".join(each[:_STAMP_BYTES] for each in encoded), dtype="<i8").astype(np.int64)
    ends = [_STAMP_BYTES + _PLACE_BYTES * count for count in counts]
    pairs = list(zip(encoded, ends, strict=True))
    places = np.frombuffer(b"".join(each[_STAMP_BYTES:end] for each, end in pairs), dtype="<u2")
    amounts = np.frombuffer(b"".join(each[end:] for each, end in pairs), dtype="<i8")
    values = np.zeros((len(encoded), width), dtype=np.int64)
    values[np.repeat(np.arange(len(encoded)), counts), places] = amounts
    return stamps, values
