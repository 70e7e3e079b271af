"""A table of counters in one array, to which batches are added at once: its keys, and its rows as bytes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise, repeat
from typing import Generic, NamedTuple, TypeVar

import numpy as np
import polars as pl
from numpy.typing import NDArray

Ints = NDArray[np.int64]

_STAMP_BYTES = 8
_PLACE_BYTES = 2
_ENTRY_BYTES = _PLACE_BYTES + 8
Scalar = TypeVar("Scalar", bound=np.generic)


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


def grown(values: NDArray[Scalar], length: int) -> NDArray[Scalar]:
    """Return an array of at least `length` along the first axis, zero where it is new; doubled, so that it is rare."""
    if length <= len(values):
        return values
    more = np.zeros((max(length, 2 * len(values)) - len(values), *values.shape[1:]), dtype=values.dtype)
    return np.concatenate((values, more))


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


class PaneKey(NamedTuple):
    """A persona's block of consecutive panes; `block` numbers them since the epoch."""

    block: int
    persona_id: str

    def text(self) -> str:
        return f"{self.block}|{self.persona_id}"

    @classmethod
    def parse(cls, text: str) -> PaneKey:
        block, persona_id = text.split("|", 1)
        return cls(int(block), persona_id)


class PostKey(NamedTuple):
    """A post of a persona.

    In its text the two ids follow each other; they may hold any text, so the first is preceded by its length.
    """

    persona_id: str
    post_id: str

    @classmethod
    def parse(cls, text: str) -> PostKey:
        length, rest = text.split("|", 1)
        return cls(rest[: int(length)], rest[int(length) :])


def post_key_column() -> pl.Expr:
    """Return the text of PostKey, of the columns persona_id and post_id."""
    persona = pl.col("persona_id")
    return pl.concat_str(persona.str.len_chars().cast(pl.String), pl.lit("|"), persona, pl.col("post_id"))


class PersonaNumbers:
    """Number personas from 0 in the order they come."""

    def __init__(self) -> None:
        self._number: dict[str, int] = {}
        self._names: list[str] = []

    def __len__(self) -> int:
        return len(self._names)

    def of(self, personas: Iterable[str]) -> NDArray[np.int64]:
        """Return the numbers of personas, in their order; new ones are numbered."""
        return np.array([self._of(persona) for persona in personas], dtype=np.int64)

    def _of(self, persona: str) -> int:
        number = self._number.get(persona)
        if number is None:
            number = self._number[persona] = len(self._names)
            self._names.append(persona)
        return number

    def name(self, number: int) -> str:
        """Return the persona of a number."""
        return self._names[number]
