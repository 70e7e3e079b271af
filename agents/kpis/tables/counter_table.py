"""A table of counters in one array, so that whole batches are added at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import repeat
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from agents.kpis.tables.encoded_rows import Entries, decode_rows, encode_rows, entries_of

Scalar = TypeVar("Scalar", bound=np.generic)


def grown(values: NDArray[Scalar], length: int) -> NDArray[Scalar]:
    """Return an array of at least `length` along the first axis, zero where it is new; doubled, so that it is rare."""
    if length <= len(values):
        return values
    more = np.zeros((max(length, 2 * len(values)) - len(values), *values.shape[1:]), dtype=values.dtype)
    return np.concatenate((values, more))


Ints = NDArray[np.int64]
Rows = NDArray[np.int64]
Bools = NDArray[np.bool_]
Key = TypeVar("Key", int, str)

NOTHING_APPLIED = -1
NO_ROW = -1
_LEAST_CAPACITY = 256


class CounterTable(Generic[Key]):
    """Counters by key.

    A row has as many counters as the table is wide, and a stamp: the offset up to which it is applied. A deleted row is
    zero and its place is used again. What changed since it was last asked is remembered.
    """

    def __init__(self, width: int) -> None:
        self._values: Ints = np.zeros((_LEAST_CAPACITY, width), dtype=np.int64)
        self._stamps: Ints = np.full(_LEAST_CAPACITY, NOTHING_APPLIED, dtype=np.int64)
        self._changed: Bools = np.zeros(_LEAST_CAPACITY, dtype=np.bool_)
        self._row: dict[Key, int] = {}
        self._keys: list[Key] = []  # by row
        self._free: list[int] = []

    @property
    def values(self) -> Ints:
        """Return the counters by row, shape (capacity, width); rows that are not in use are zero."""
        return self._values

    def items(self) -> Iterator[tuple[Key, Ints]]:
        """Yield each key with its counters, shape (width,)."""
        return ((key, self._values[row]) for key, row in self._row.items())

    def rows(self, keys: Sequence[Key]) -> tuple[Rows, Ints]:
        """Return the rows of distinct keys, in their order, and the positions of those that are new, which are zero."""
        found = self.find(keys)
        new = np.flatnonzero(found == NO_ROW)
        if len(new):
            found[new] = self._added([keys[position] for position in new.tolist()])
        return found, new

    def find(self, keys: Sequence[Key]) -> Rows:
        """Return the rows of keys, in their order, NO_ROW where there is none."""
        return np.fromiter(map(self._row.get, keys, repeat(NO_ROW)), dtype=np.int64, count=len(keys))

    def _added(self, keys: Sequence[Key]) -> list[int]:
        """Give each key a row: a deleted one, while there are any."""
        again: list[int] = [self._free.pop() for _ in range(min(len(self._free), len(keys)))]
        for row, key in zip(again, keys, strict=False):
            self._keys[row] = key
        fresh: Sequence[Key] = keys[len(again) :]
        rows: list[int] = [*again, *range(len(self._keys), len(self._keys) + len(fresh))]
        self._keys += fresh
        while len(self._keys) > len(self._values):
            self._grow()
        self._row.update(zip(keys, rows, strict=True))
        return rows

    def _grow(self) -> None:
        self._values = np.concatenate((self._values, np.zeros_like(self._values)))
        self._stamps = np.concatenate((self._stamps, np.full_like(self._stamps, NOTHING_APPLIED)))
        self._changed = np.concatenate((self._changed, np.zeros_like(self._changed)))

    def keys_of(self, rows: Rows) -> list[Key]:
        """Return the keys of rows."""
        return [self._keys[row] for row in rows.tolist()]

    def stamps(self, rows: Rows) -> Ints:
        """Return a copy of the stamps, shape (rows,)."""
        return self._stamps[rows]

    def add(self, rows: Rows, counters: Ints, amounts: Ints) -> None:
        """Add amounts to counters; each (row, counter) comes once. Shapes all (n,)."""
        self._values[rows, counters] += amounts

    def lower(self, rows: Rows, counters: Ints, amounts: Ints) -> None:
        """Set counters to the least of their value and an amount; 0 means that there is none yet. Shapes all (n,)."""
        held = self._values[rows, counters]
        self._values[rows, counters] = np.where(held == 0, amounts, np.minimum(held, amounts))

    def stamp(self, rows: Rows, offset: int) -> None:
        """Note that rows have changed and are applied up to an offset; a row that is ahead stays ahead."""
        self._stamps[rows] = np.maximum(self._stamps[rows], offset)
        self._changed[rows] = True

    def take_changed(self) -> Rows:
        """Return the rows that changed since the last call."""
        rows = np.flatnonzero(self._changed)
        self._changed[rows] = False
        return rows

    def encoded(self, rows: Rows) -> list[bytes]:
        """Return each row as bytes."""
        return encode_rows(self._stamps[rows], entries_of(self._values[rows]))

    def load(self, keys: Sequence[Key], encoded: Sequence[bytes]) -> Rows:
        """Set rows that are new from their encoded form and return their numbers."""
        rows, _ = self.rows(keys)
        stamps, entries = decode_rows(encoded)
        self.put(rows, stamps, Entries(rows[entries.row], entries.place, entries.amount))
        return rows

    def put(self, rows: Rows, stamps: Ints, entries: Entries) -> None:
        """Set the stamps of rows, shapes (rows,), and the counters in the entries, which name rows of this table."""
        self._stamps[rows] = stamps
        self._values[entries.row, entries.place] = entries.amount

    def delete(self, rows: Rows) -> None:
        """Delete rows that are in use."""
        for row in rows.tolist():
            del self._row[self._keys[row]]
            self._free.append(row)
        self._values[rows] = 0
        self._stamps[rows] = NOTHING_APPLIED
        self._changed[rows] = False
