"""A block of rows that were read: the good ones as columns, a fault for each of the others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import compress
from typing import Any

import numpy as np
import numpy.typing as npt

from agents.importing.sources.source import Unit
from streams.errors import RecordFault

Ints = npt.NDArray[np.int64]


class RowFault(RecordFault):
    """What is wrong with the row that begins on a line."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.line = line


@dataclass(frozen=True, slots=True)
class RowBlock:
    """The good rows of a block as columns, in the order of the file.

    `numbers` count the file's rows from 1, `lines` are where they begin; `occurred_ms` is (rows,) epoch milliseconds,
    `shift_ms` included; `counts` is (rows, kinds), in the order of the reader's `kinds`, and `said` whether the row
    tells that count. `post_ids` and `texts` are None where not mapped. `as_of_ms` is when the row's totals were so,
    None where that is unknown; `timed` whether the row has a time of its own. `notes` name what was left out of good
    rows, `sums` counts rows that sum up others. `unit` is what `lines` are counted in.
    """

    numbers: Sequence[int]
    lines: Sequence[int]
    occurred_ms: Ints
    persona_ids: Sequence[str]
    post_ids: Sequence[str] | None
    texts: Sequence[str] | None
    counts: Ints
    said: npt.NDArray[np.bool_]
    as_of_ms: Sequence[int | None]
    timed: Sequence[bool]
    shift_ms: int = 0
    notes: Sequence[str] = ()
    sums: int = 0
    unit: Unit = "line"

    def kept(self, good: Sequence[bool]) -> RowBlock:
        """Return the rows of a mask."""
        return self._chosen(lambda column: list(compress(column, good)), np.array(good, dtype=np.bool_))

    def part(self, rows: slice) -> RowBlock:
        """Return a slice of the rows."""
        return self._chosen(lambda column: list(column[rows]), rows)

    def _chosen(self, chosen: Callable[[Sequence[Any]], list[Any]], rows: slice | npt.NDArray[np.bool_]) -> RowBlock:
        return replace(
            self,
            numbers=chosen(self.numbers),
            lines=chosen(self.lines),
            occurred_ms=self.occurred_ms[rows],
            persona_ids=chosen(self.persona_ids),
            post_ids=None if self.post_ids is None else chosen(self.post_ids),
            texts=None if self.texts is None else chosen(self.texts),
            counts=self.counts[rows],
            said=self.said[rows],
            as_of_ms=chosen(self.as_of_ms),
            timed=chosen(self.timed),
        )
