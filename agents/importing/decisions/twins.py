"""Rows that share persona, post and time: numbered in their order, in memory that does not grow with the file.

Most rows have no twin. The first reading notes a hash of every row, on disk where they are many, and finds those that
come more than once; the second reading counts these alone. 12 bytes are held for each persona, post and time
that rows share.
"""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from typing import Self

import numpy as np
import numpy.typing as npt
import polars as pl

from agents.importing.row_block import RowBlock

Hashes = npt.NDArray[np.uint64]
Numbers = npt.NDArray[np.int64]
NO_HASHES: Hashes = np.empty(0, dtype=np.uint64)
PARTS = 64
BYTES_IN_MEMORY = 2**18  # of each part, beyond which it goes to a file
SEED = 1  # the same in every process


class RepeatedTwins:
    """The twins of a file of which it is known which rows have any."""

    def __init__(self, repeated: Hashes) -> None:
        """Take the hashes that come more than once, in ascending order."""
        self._repeated = repeated
        self._counts = np.zeros(len(repeated), dtype=np.uint32)

    def numbers(self, block: RowBlock) -> Numbers:
        """Return for each row of the next block how many rows before it have its persona, post and time."""
        numbers = np.zeros(len(block.numbers), dtype=np.int64)
        if not len(self._repeated) or not len(numbers):
            return numbers
        hashes = row_hashes(block)
        places = np.searchsorted(self._repeated, hashes)
        places[places == len(self._repeated)] = 0
        for row in np.flatnonzero(self._repeated[places] == hashes).tolist():
            place = places[row]
            numbers[row] = self._counts[place]
            self._counts[place] += 1
        return numbers


class RepeatedRows:
    """Finds the hashes of rows that come more than once, by way of files; to be used as a context."""

    def __init__(self) -> None:
        self._files = ExitStack()
        self._parts = [self._files.enter_context(_spooled()) for _ in range(PARTS)]

    def __enter__(self) -> Self:
        """Return it."""
        return self

    def __exit__(self, *_: object) -> None:
        self._files.close()

    def note(self, block: RowBlock) -> None:
        """Take note of the rows of a block; raises OSError where the disk is full."""
        hashes = np.sort(row_hashes(block))
        ends = np.searchsorted(hashes, np.arange(1, PARTS, dtype=np.uint64) << np.uint64(58))
        for file, part in zip(self._parts, np.split(hashes, ends), strict=True):
            file.write(part.tobytes())

    def found(self) -> Hashes:
        """Return the hashes that came more than once, in ascending order."""
        return np.concatenate([_repeated(self._read(place)) for place in range(PARTS)])

    def _read(self, place: int) -> Hashes:
        self._parts[place].seek(0)
        return np.frombuffer(self._parts[place].read(), dtype=np.uint64)


def row_hashes(block: RowBlock) -> Hashes:
    """Return a hash of persona, post and time of each row; two rows of 10**8 share one in 1 of 3,700 files."""
    columns = {
        "persona": pl.Series(block.persona_ids, dtype=pl.String),
        "post": pl.Series(block.post_ids or [None] * len(block.numbers), dtype=pl.String),
        "at": pl.Series(block.occurred_ms - block.shift_ms, dtype=pl.Int64),
    }
    return pl.DataFrame(columns).hash_rows(SEED).to_numpy()


def _spooled() -> tempfile.SpooledTemporaryFile[bytes]:
    return tempfile.SpooledTemporaryFile(BYTES_IN_MEMORY)


def _repeated(hashes: Hashes) -> Hashes:
    distinct, counts = np.unique(hashes, return_counts=True)
    return distinct[counts > 1]
