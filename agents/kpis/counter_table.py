"""Counter tables: rows of int64 counters by key, with the offset each row is applied up to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.int64]
"""Row numbers of a table."""

NOTHING_APPLIED = -1
_LEAST_CAPACITY = 1024


class CounterTable:
    """Counters by key, in arrays that whole batches are added to at once.

    A row has `width` counters and a stamp: the offset up to which it is applied. Keys are text; a deleted row is zero
    and its place is used again. Encoded, a row is its stamp and counters as little-endian int64, 8 * (width + 1) bytes.
    """

    def __init__(self, width: int) -> None:
        self.width = width
        self._values: NDArray[np.int64] = np.zeros((_LEAST_CAPACITY, width + 1), dtype=np.int64)
        self._row: dict[str, int] = {}
        self._free: list[int] = []

    def __len__(self) -> int:
        return len(self._row)

    def keys(self) -> Iterator[str]:
        return iter(self._row)

    def rows(self, keys: Sequence[str]) -> tuple[Rows, list[int]]:
        """Return the rows of keys, in their order, and the positions of those that are new; new rows are zero."""
        found = list(map(self._row.get, keys))
        new = [position for position, row in enumerate(found) if row is None] if None in found else []
        for position in new:
            found[position] = self._add(keys[position])
        return np.array(found, dtype=np.int64), new

    def _add(self, key: str) -> int:
        row = self._free.pop() if self._free else len(self._row)
        if row >= len(self._values):
            self._values = np.concatenate((self._values, np.zeros_like(self._values)))
        self._values[row, 0] = NOTHING_APPLIED
        self._row[key] = row
        return row

    @property
    def capacity(self) -> int:
        """Return how many rows there is room for: row numbers lie below."""
        return len(self._values)

    def all_counters(self) -> NDArray[np.int64]:
        """Return a view of all counters by row, shape (capacity, width)."""
        return self._values[:, 1:]

    def counters(self, rows: Rows) -> NDArray[np.int64]:
        """Return a copy of the counters, shape (rows, width)."""
        return self._values[rows, 1:]

    def stamps(self, rows: Rows) -> NDArray[np.int64]:
        """Return a copy of the stamps, shape (rows,)."""
        stamps: NDArray[np.int64] = self._values[rows, 0]
        return stamps

    def add(self, rows: Rows, counters: NDArray[np.int64], amounts: NDArray[np.int64]) -> None:
        """Add amounts to counters; each (row, counter) comes once. Shapes all (n,)."""
        self._values[rows, counters + 1] += amounts

    def lower(self, rows: Rows, counter: int, amounts: NDArray[np.int64]) -> None:
        """Set a counter to the least of its value and an amount; 0 means that there is none yet. Shapes (n,)."""
        held = self._values[rows, counter + 1]
        self._values[rows, counter + 1] = np.where(held == 0, amounts, np.minimum(held, amounts))

    def stamp(self, rows: Rows, offset: int) -> None:
        """Note that rows are applied up to an offset; a row that is ahead stays ahead."""
        self._values[rows, 0] = np.maximum(self._values[rows, 0], offset)

    def encoded(self, rows: Rows) -> list[bytes]:
        """Return each row as bytes."""
        size = 8 * (self.width + 1)
        joined = np.ascontiguousarray(self._values[rows], dtype="<i8").tobytes()
        return [joined[start : start + size] for start in range(0, len(joined), size)]

    def load(self, items: Sequence[tuple[str, bytes]]) -> Rows:
        """Set rows from their encoded form and return their numbers."""
        rows, _ = self.rows([key for key, _ in items])
        if items:
            self._values[rows] = np.frombuffer(b"".join(value for _, value in items), dtype="<i8").reshape(
                len(items), -1
            )
        return rows

    def delete(self, keys: Iterable[str]) -> None:
        """Delete rows; a key that is not there is nothing."""
        for key in keys:
            row = self._row.pop(key, None)
            if row is not None:
                self._values[row] = 0
                self._free.append(row)
