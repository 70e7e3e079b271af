"""Rows to columns: a block of rows is read field by field, and what is wrong with a row is said with its line."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import compress
from typing import Any

import numpy as np
import numpy.typing as npt

from agents.importing.csv_source import CsvRow
from agents.importing.fields import COUNT_FIELDS, SIGNED_FIELDS, Layout
from agents.importing.identifiers import identifier
from agents.importing.numbers import DISTINCT_COUNTS_KEPT, PLAIN, NumberFormat
from agents.importing.times import TimeReader, time_reader
from agents.importing.visible_text import all_blank, is_blank, is_sum, visible
from streams.errors import RecordFault
from streams.rules import LATEST_MS, shown

ESSENTIAL_COUNT = "views"  # where it is unusable the whole row is: the others are compared with it
UNSAID = -(2**63)  # in the place of a count that a row does not tell

Problems = dict[int, list[str]]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class RowBlock:
    """The good rows of a block as columns, in the order of the file.

    `numbers` count the file's rows from 1, `lines` are where they begin; `occurred_ms` is (rows,) epoch milliseconds,
    `shift_ms` included; `counts` is (rows, kinds), in the order of the reader's `kinds`, and `said` whether the row
    tells that count. `post_ids` and `texts` are None where not mapped. `as_of_ms` is when the row's totals were so, None
    where that is unknown; `timed` whether the row has a time of its own. `notes` name what was left out of good rows,
    `sums` counts rows that sum up others.
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


class RowReader:
    """Read rows of one file by its layout; `shift_ms` is added to every time.

    `numbers` is how the file writes them. Rows without a time are booked at `untimed_ms`; None means that they are bad.
    """

    def __init__(
        self, layout: Layout, *, shift_ms: int = 0, numbers: NumberFormat = PLAIN, untimed_ms: int | None = None
    ) -> None:
        at, mapping = layout.positions, layout.mapping
        self._layout = layout
        self._shift_ms = shift_ms
        self._untimed_ms = untimed_ms
        self._time = time_reader(mapping.time_format, mapping.timezone, mapping.year)
        self._as_of_ms = said_as_of_ms(mapping.as_of, mapping.timezone)
        self._post_id = _post_id_reader(mapping.post_id_pattern)
        self._count_fields = [name for name in COUNT_FIELDS if name in at]
        self._read_count = {False: _cell_reader(numbers.count), True: _cell_reader(numbers.change)}
        self.kinds = [COUNT_FIELDS[name] for name in self._count_fields]

    def read(self, rows: Sequence[CsvRow]) -> tuple[RowBlock, list[RecordFault]]:
        """Return the good rows, and a fault for each bad one: its line and everything that is wrong with it."""
        width = self._layout.width
        problems: Problems = {
            row.line: [f"has {len(row.cells)} cells, the header has {width}"]
            for row in rows
            if len(row.cells) != width and not _fits(row.cells, width)
        }
        whole = [row for row in rows if row.line not in problems] if problems else rows
        single = [row for row in whole if not self._sums_up(row)]
        block = self._columns(single, problems, len(whole) - len(single))
        if problems:
            block = _without(block, problems)
        return block, [RecordFault(f"line {line}: {'; '.join(problems[line])}") for line in sorted(problems)]

    def check(self, file_name: str) -> None:
        """Refuse times that can't all be right, once all rows are read; raises ImportFault."""
        self._time.check(file_name)

    def _sums_up(self, row: CsvRow) -> bool:
        at = self._layout.positions
        return any(is_sum(row.cells[at[name]]) for name in ("post_id", "occurred_at") if name in at)

    def _columns(self, rows: Sequence[CsvRow], problems: Problems, sums: int) -> RowBlock:
        lines = [row.line for row in rows]
        numbers = [row.number for row in rows]
        width = self._layout.width
        cells = list(zip(*(row.cells[:width] for row in rows), strict=True)) or [()] * width
        columns = {name: cells[place] for name, place in self._layout.positions.items()}
        notes: Problems = {}
        as_of = self._as_ofs(columns.get("as_of"), lines, notes)
        timed = [not is_blank(cell) for cell in columns["occurred_at"]]
        times = self._times(columns["occurred_at"], as_of, lines, problems, notes)
        persona_id = self._layout.mapping.persona_id
        personas = [persona_id] * len(rows) if persona_id else _filled("persona_id", columns, lines, problems)
        posts = self._posts(columns, numbers, lines, problems) if "post_id" in columns else None
        counts, said = self._counts(cells, columns, lines, problems, notes)
        for line in notes.keys() & problems.keys():
            problems[line] += notes.pop(line)
        return RowBlock(
            numbers=numbers,
            lines=lines,
            occurred_ms=np.array(times, dtype=np.int64),
            persona_ids=personas,
            post_ids=posts,
            texts=columns.get("text"),
            counts=counts,
            said=said,
            as_of_ms=as_of,
            timed=timed,
            shift_ms=self._shift_ms,
            notes=[f"line {line}: {'; '.join(notes[line])}" for line in sorted(notes)],
            sums=sums,
        )

    def _as_ofs(self, cells: Sequence[str] | None, lines: Sequence[int], notes: Problems) -> list[int | None]:
        if cells is None or self._as_of_ms is not None:
            return [self._as_of_ms] * len(lines)
        found: list[int | None] = []
        for line, cell in zip(lines, cells, strict=True):
            try:
                found.append(None if is_blank(cell) or is_sum(cell) else self._time(cell))
            except ValueError as error:
                notes.setdefault(line, []).append(f"as_of {shown(cell)} {error}")
                found.append(None)
        return found

    def _times(
        self,
        cells: Sequence[str],
        as_of: Sequence[int | None],
        lines: Sequence[int],
        problems: Problems,
        notes: Problems,
    ) -> list[int]:
        times = []
        for line, cell, latest_ms in zip(lines, cells, as_of, strict=True):
            try:
                times.append(self._time_of(cell, latest_ms))
            except ValueError as error:
                problems.setdefault(line, []).append(f"occurred_at {shown(cell)} {error}")
                times.append(0)
                continue
            if cell in self._time.twice:
                zone = self._layout.mapping.timezone
                notes.setdefault(line, []).append(
                    f"occurred_at {shown(cell)} is a time that the clocks of {zone} show twice; the first is taken"
                )
        return times

    def _time_of(self, cell: str, latest_ms: int | None) -> int:
        if self._untimed_ms is not None and is_blank(cell):
            return (self._untimed_ms if latest_ms is None else latest_ms) + self._shift_ms
        try:
            at_ms = self._time(cell, latest_ms) + self._shift_ms
        except OverflowError:
            at_ms = -1
        if not 0 <= at_ms <= LATEST_MS:
            raise ValueError("is outside the calendar: times from 1970 to 9999 are taken")
        return at_ms

    def _posts(
        self, columns: dict[str, Any], numbers: Sequence[int], lines: Sequence[int], problems: Problems
    ) -> list[str]:
        posts = []
        for line, cell in zip(lines, columns["post_id"], strict=True):
            try:
                posts.append(self._post_id(cell))
            except ValueError as error:
                problems.setdefault(line, []).append(f"post_id {shown(cell)} {error}" if cell else f"post_id {error}")
                posts.append("")
        if self._layout.mapping.post_per_row:
            return [f"{post}-{number}" for post, number in zip(posts, numbers, strict=True)]
        return posts

    def _counts(
        self,
        cells: Sequence[Sequence[str]],
        columns: dict[str, Any],
        lines: Sequence[int],
        problems: Problems,
        notes: Problems,
    ) -> tuple[Ints, npt.NDArray[np.bool_]]:
        found = [self._count_column(name, cells, columns, lines, problems, notes) for name in self._count_fields]
        counts = np.array(found, dtype=np.int64).reshape(len(found), len(lines)).T
        said = counts != UNSAID
        for row in np.flatnonzero(~said.any(axis=1)).tolist() if found and notes else ():
            if lines[row] in notes:  # nothing is left of the row
                problems.setdefault(lines[row], [])
        return np.where(said, counts, 0), said

    def _count_column(
        self,
        name: str,
        cells: Sequence[Sequence[str]],
        columns: dict[str, Any],
        lines: Sequence[int],
        problems: Problems,
        notes: Problems,
    ) -> list[int]:
        read = self._read_count[name in SIGNED_FIELDS]
        spoilt = problems if name == ESSENTIAL_COUNT else notes
        counts = _read(name, columns[name], read, lines, spoilt)
        if name not in self._layout.subtracted:
            return counts
        taken_off = _read(name, cells[self._layout.subtracted[name]], read, lines, spoilt)
        return [
            count if UNSAID in (count, less) else count - less for count, less in zip(counts, taken_off, strict=True)
        ]


def said_as_of_ms(as_of: str | None, timezone: str | None) -> int | None:
    """Return the moment that --as-of says, in milliseconds, None where it is not said.

    Raises:
        ValueError: it is no ISO 8601 time.
    """
    return None if as_of is None else time_reader("iso8601", timezone)(as_of)


def time_reader_of(layout: Layout) -> TimeReader:
    """Return the reader of a layout's times."""
    mapping = layout.mapping
    return time_reader(mapping.time_format, mapping.timezone, mapping.year)


def _fits(cells: Sequence[str], width: int) -> bool:
    """Tell whether cells are a row of that width with blank cells behind it, as spreadsheets leave them."""
    return len(cells) > width and all_blank(cells[width:])


def _without(block: RowBlock, problems: Problems) -> RowBlock:
    return block.kept([line not in problems for line in block.lines])


def _read(
    name: str, cells: Sequence[str], read: Callable[[str], int], lines: Sequence[int], problems: Problems
) -> list[int]:
    """Read a column of numbers; where a cell can't be read, note the problem and put UNSAID in its place."""
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
            values.append(UNSAID)
    return values


def _filled(name: str, columns: dict[str, Any], lines: Sequence[int], problems: Problems) -> list[str]:
    values = [visible(cell) for cell in columns[name]]
    if not all(values):
        for line, value in zip(lines, values, strict=True):
            if not value:
                problems.setdefault(line, []).append(f"{name} is empty")
    return values


def _post_id_reader(pattern: str | None) -> Callable[[str], str]:
    inner = re.compile(pattern) if pattern else None

    def read(cell: str) -> str:
        text = identifier(cell)
        if not text:
            raise ValueError("is empty")
        if inner is None:
            return text
        match = inner.search(text)
        if match is None:
            raise ValueError(f"holds no id of the form {pattern}")
        return match[1]

    return read


def _cell_reader(read: Callable[[str], int]) -> Callable[[str], int]:
    return lru_cache(maxsize=DISTINCT_COUNTS_KEPT)(lambda cell: UNSAID if is_blank(cell) else read(cell))
