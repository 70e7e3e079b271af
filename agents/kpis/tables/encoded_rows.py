"""Rows of counters as bytes: a stamp and the counters that are not zero, which are few."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]

_STAMP_BYTES = 8
_PLACE_BYTES = 2
_ENTRY_BYTES = _PLACE_BYTES + 8


@dataclass(frozen=True, slots=True)
class Entries:
    """Counters that are not zero: in which row, at which place of it (below 65,536), and how much. Shapes (n,)."""

    row: Ints
    place: Ints
    amount: Ints


def entries_of(values: Ints) -> Entries:
    """Return the entries of counters, shape (rows, width)."""
    row, place = np.nonzero(values)
    return Entries(row, place, values[row, place])


def encode_rows(stamps: Ints, entries: Entries) -> list[bytes]:
    """Return each row as bytes: the stamp, the places of its n entries, and their amounts.

    `stamps` has the shape (rows,), entries ascend by row. Stamp and amounts are little-endian int64, places
    little-endian uint16: 8 + 10 * n bytes.
    """
    ends = np.cumsum(np.bincount(entries.row, minlength=len(stamps))).tolist() if len(stamps) else []
    starts = stamps.astype("<i8").tobytes()
    places, amounts = entries.place.astype("<u2").tobytes(), entries.amount.astype("<i8").tobytes()
    return [
        starts[8 * number : 8 * number + 8] + places[2 * first : 2 * end] + amounts[8 * first : 8 * end]
        for number, (first, end) in enumerate(pairwise([0, *ends]))
    ]


def decode_rows(encoded: Sequence[bytes]) -> tuple[Ints, Entries]:
    """Return the stamps, shape (rows,), and the entries."""
    counts = [(len(each) - _STAMP_BYTES) // _ENTRY_BYTES for each in encoded]
    stamps = np.frombuffer(b"".join(each[:_STAMP_BYTES] for each in encoded), dtype="<i8").astype(np.int64)
    ends = [_STAMP_BYTES + _PLACE_BYTES * count for count in counts]
    pairs = list(zip(encoded, ends, strict=True))
    places = np.frombuffer(b"".join(each[_STAMP_BYTES:end] for each, end in pairs), dtype="<u2").astype(np.int64)
    amounts = np.frombuffer(b"".join(each[end:] for each, end in pairs), dtype="<i8").astype(np.int64)
    return stamps, Entries(np.repeat(np.arange(len(encoded)), counts), places, amounts)
