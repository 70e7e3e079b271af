"""Rows to columns: a block of rows is read field by field, and what is wrong with a row is said with its line."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import compress
from typing import Any

import numpy as np
import numpy.typing as npt

from agents.importing.csv_source import CsvRow
from agents.importing.fields import COUNT_FIELDS, Layout
from agents.importing.times import time_reader
from streams.errors import RecordFault
from streams.rules import LATEST_MS, shown

MAX_COUNT = 2**63 - 1
DISTINCT_COUNTS_KEPT = 65_536

_COUNT = re.compile(r"0*(\d{1,19})(?:\.0+)?", re.ASCII)
_BAD_COUNT = "is not a whole number from 0 to 2^63-1, written in digits alone"

Problems = dict[int, list[str]]


@dataclass(frozen=True, slots=True)
class RowBlock:
    """The good rows of a block as columns, in the order of the file.

    `numbers` count the file's rows from 1, `lines` are where they begin; `occurred_ms` is (rows,) epoch milliseconds;
    `counts` is (rows, kinds), in the order of the reader's `kinds`. `post_ids` and `texts` are None where not mapped.
    """

    numbers: Sequence[int]
    lines: Sequence[int]
    occurred_ms: npt.NDArray[np.int64]
    persona_ids: Sequence[str]
    post_ids: Sequence[str] | None
    texts: Sequence[str] | None
    counts: npt.NDArray[np.int64]


class RowReader:
    """Read rows of one file by its layout; `shift_ms` is added to every time."""

    def __init__(self, layout: Layout, *, shift_ms: int = 0) -> None:
        at = layout.positions
        self._layout = layout
        self._shift_ms = shift_ms
        self._read_time = time_reader(layout.mapping.time_format)
        self._count_fields = [name for name in COUNT_FIELDS if name in at]
        self.kinds = [COUNT_FIELDS[name] for name in self._count_fields]

    def read(self, rows: Sequence[CsvRow]) -> tuple[RowBlock, list[RecordFault]]:
        """Return the good rows, and a fault for each bad one: its line and everything that is wrong with it."""
        width = self._layout.width
        problems: Problems = {
            row.line: [f"has {len(row.cells)} cells, the header has {width}"] for row in rows if len(row.cells) != width
        }
        whole = [row for row in rows if len(row.cells) == width] if problems else rows
        block = self._columns(whole, problems)
        if problems:
            block = _without(block, problems)
        return block, [RecordFault(f"line {line}: {'; '.join(problems[line])}") for line in sorted(problems)]

    def _columns(self, rows: Sequence[CsvRow], problems: Problems) -> RowBlock:
        lines = [row.line for row in rows]
        numbers = [row.number for row in rows]
        cells = list(zip(*(row.cells for row in rows), strict=True)) or [()] * self._layout.width
        columns = {name: cells[place] for name, place in self._layout.positions.items()}
        times = _read("occurred_at", columns["occurred_at"], self._time, lines, problems)
        persona_id = self._layout.mapping.persona_id
        personas = [persona_id] * len(rows) if persona_id else _filled("persona_id", columns, lines, problems)
        posts = _filled("post_id", columns, lines, problems) if "post_id" in columns else None
        if posts is not None and self._layout.mapping.post_per_row:
            posts = [f"{post}-{number}" for post, number in zip(posts, numbers, strict=True)]
        counts = [_read(name, columns[name], _count, lines, problems) for name in self._count_fields]
        return RowBlock(
            numbers=numbers,
            lines=lines,
            occurred_ms=np.array(times, dtype=np.int64),
            persona_ids=personas,
            post_ids=posts,
            texts=columns.get("text"),
            counts=np.array(counts, dtype=np.int64).reshape(len(counts), len(rows)).T,
        )

    def _time(self, cell: str) -> int:
        try:
            at_ms = self._read_time(cell) + self._shift_ms
        except OverflowError:
            at_ms = -1
        if not 0 <= at_ms <= LATEST_MS:
            raise ValueError("is outside the calendar: times from 1970 to 9999 are taken")
        return at_ms


def _without(block: RowBlock, problems: Problems) -> RowBlock:
    good = [line not in problems for line in block.lines]

    def chosen(column: Sequence[Any] | None) -> Any:  # noqa: ANN401 - of the type it takes
        return None if column is None else list(compress(column, good))

    return RowBlock(
        numbers=chosen(block.numbers),
        lines=chosen(block.lines),
        occurred_ms=block.occurred_ms[good],
        persona_ids=chosen(block.persona_ids),
        post_ids=chosen(block.post_ids),
        texts=chosen(block.texts),
        counts=block.counts[good],
    )


def _read(
    name: str, cells: Sequence[str], read: Callable[[str], int], lines: Sequence[int], problems: Problems
) -> list[int]:
    """Read a column of numbers; where a cell can't be read, note the problem and put 0 in its place."""
    try:
        return list(map(read, cells))
    except ValueError:
        pass  # which cells: found below, one by one
    values = []
    for line, cell in zip(lines, cells, strict=True):
        try:
            values.append(read(cell))
        except ValueError as error:
            problems.setdefault(line, []).append(f"{name} {shown(cell)} {error}")
            values.append(0)
    return values


def _filled(name: str, columns: dict[str, Any], lines: Sequence[int], problems: Problems) -> list[str]:
    values = [cell.strip() for cell in columns[name]]
    if not all(values):
        for line, value in zip(lines, values, strict=True):
            if not value:
                problems.setdefault(line, []).append(f"{name} is empty")
    return values


@lru_cache(maxsize=DISTINCT_COUNTS_KEPT)
def _count(cell: str) -> int:
    text = cell.strip()
    if not text:
        return 0
    found = _COUNT.fullmatch(text)
    count = int(found[1]) if found else -1
    if not 0 <= count <= MAX_COUNT:
        raise ValueError(_BAD_COUNT)
    return count
