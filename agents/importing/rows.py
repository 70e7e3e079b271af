"""Rows to columns: a block of rows is read field by field, and what is wrong with a row is said with its line."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from itertools import compress
from typing import Any

import numpy as np
import numpy.typing as npt

from agents.importing.cells.identifiers import identifier
from agents.importing.cells.numbers import DISTINCT_COUNTS_KEPT, PLAIN, NumberFormat
from agents.importing.cells.visible_text import all_blank, is_blank, is_sum, visible
from agents.importing.csv_source import CsvRow
from agents.importing.fields import COUNT_FIELDS, SIGNED_FIELDS, ImportFault, Layout
from agents.importing.times import TimeReader, time_reader
from schemas.rules import LATEST_MS, shown
from streams.errors import RecordFault

ESSENTIAL_COUNT = "views"  # where it is unusable the whole row is: the others are compared with it
UNSAID = -(2**63)  # in the place of a count that a row does not tell

Problems = dict[int, list[str]]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class RowBlock:
    """The good rows of a block as columns, in the order of the file.

    `numbers` count the file's rows from 1, `lines` are where they begin; `occurred_ms` is (rows,) epoch milliseconds,
    `shift_ms` included; `counts` is (rows, kinds), in the order of the reader's `kinds`, and `said` whether the row
    tells that count. `post_ids` and `texts` are None where not mapped. `as_of_ms` is when the row's totals were so,
    None where that is unknown; `timed` whether the row has a time of its own. `notes` name what was left out of good
    rows, `sums` counts rows that sum up others.
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
        layout = self._layout
        lines = [row.line for row in rows]
        numbers = [row.number for row in rows]
        cells = list(zip(*(row.cells[: layout.width] for row in rows), strict=True)) or [()] * layout.width
        columns = {name: cells[place] for name, place in layout.positions.items()}
        taken_off = {name: cells[place] for name, place in layout.subtracted.items()}
        found = _Findings(lines, problems)
        as_of = self._as_ofs(columns.get("as_of"), found)
        times = self._times(columns["occurred_at"], as_of, found)
        persona_id = layout.mapping.persona_id
        personas = [persona_id] * len(rows) if persona_id else _filled("persona_id", columns["persona_id"], found)
        posts = self._posts(columns["post_id"], numbers, found) if "post_id" in columns else None
        counts, said = self._counts(columns, taken_off, found)
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
            timed=[not is_blank(cell) for cell in columns["occurred_at"]],
            shift_ms=self._shift_ms,
            notes=found.told(),
            sums=sums,
        )

    def _as_ofs(self, cells: Sequence[str] | None, found: _Findings) -> list[int | None]:
        if cells is None or self._as_of_ms is not None:
            return [self._as_of_ms] * len(found.lines)
        moments: list[int | None] = []
        for line, cell in zip(found.lines, cells, strict=True):
            try:
                moments.append(None if is_blank(cell) or is_sum(cell) else self._time(cell))
            except ValueError as error:
                found.note(line, f"as_of {shown(cell)} {error}")
                moments.append(None)
        return moments

    def _times(self, cells: Sequence[str], as_of: Sequence[int | None], found: _Findings) -> list[int]:
        times = []
        for line, cell, latest_ms in zip(found.lines, cells, as_of, strict=True):
            try:
                times.append(self._time_of(cell, latest_ms))
            except ValueError as error:
                found.problem(line, f"occurred_at {shown(cell)} {error}")
                times.append(0)
                continue
            if cell in self._time.twice:
                zone = self._layout.mapping.timezone
                found.note(line, f"occurred_at {shown(cell)} came twice by the clocks of {zone}; the first is taken")
            elif is_blank(cell):
                found.note(line, "occurred_at is blank; booked at the time of the export, or else of the import")
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

    def _posts(self, cells: Sequence[str], numbers: Sequence[int], found: _Findings) -> list[str]:
        posts = []
        for line, cell in zip(found.lines, cells, strict=True):
            try:
                posts.append(self._post_id(cell))
            except ValueError as error:
                found.problem(line, f"post_id {shown(cell)} {error}" if visible(cell) else f"post_id {error}")
                posts.append("")
        if self._layout.mapping.post_per_row:
            return [f"{post}-{number}" for post, number in zip(posts, numbers, strict=True)]
        return posts

    def _counts(
        self, columns: dict[str, Any], taken_off: dict[str, Any], found: _Findings
    ) -> tuple[Ints, npt.NDArray[np.bool_]]:
        values = []
        for name in self._count_fields:
            column = self._count_column(name, columns[name], found)
            if name in taken_off:
                column = _less(column, self._count_column(name, taken_off[name], found))
            values.append(column)
        counts = np.array(values, dtype=np.int64).reshape(len(values), len(found.lines)).T
        said = counts != UNSAID
        if values and found.notes:
            found.spoil(said.any(axis=1).tolist())
        return np.where(said, counts, 0), said

    def _count_column(self, name: str, cells: Sequence[str], found: _Findings) -> list[int]:
        """Read a column of counts; where a cell can't be read, say so and put UNSAID in its place."""
        read = self._read_count[name in SIGNED_FIELDS]
        try:
            return list(map(read, cells))
        except ValueError:
            pass  # which cells: found below, one by one
        spoilt = found.problem if name == ESSENTIAL_COUNT else found.note
        values = []
        for line, cell in zip(found.lines, cells, strict=True):
            try:
                values.append(read(cell))
            except ValueError as error:
                spoilt(line, f"{name} {shown(cell)} {error}")
                values.append(UNSAID)
        return values


@dataclass(frozen=True, slots=True)
class _Findings:
    """What is wrong with rows, by line: `problems` make a row bad, `notes` are of what is left out of a good one."""

    lines: Sequence[int]
    problems: Problems
    notes: Problems = field(default_factory=dict)

    def problem(self, line: int, text: str) -> None:
        self.problems.setdefault(line, []).append(text)

    def note(self, line: int, text: str) -> None:
        self.notes.setdefault(line, []).append(text)

    def spoil(self, has_counts: Sequence[bool]) -> None:
        """Make rows bad of which the notes have left nothing."""
        for line, has_count in zip(self.lines, has_counts, strict=True):
            if not has_count and line in self.notes:
                self.problems.setdefault(line, [])

    def told(self) -> list[str]:
        """Return the notes of good rows, and say those of bad rows with their problems."""
        for line in self.notes.keys() & self.problems.keys():
            self.problems[line] += self.notes.pop(line)
        return [f"line {line}: {'; '.join(self.notes[line])}" for line in sorted(self.notes)]


def said_as_of_ms(as_of: str | None, timezone: str | None) -> int | None:
    """Return the moment that --as-of says, in milliseconds, None where it is not said.

    Raises:
        ImportFault: it is no ISO 8601 time.
    """
    try:
        return None if as_of is None else time_reader("iso8601", timezone)(as_of)
    except ValueError:
        raise ImportFault(f"--as-of {as_of!r} is no ISO 8601 time such as 2026-03-01 or 2026-03-01T09:30.") from None


def time_reader_of(layout: Layout) -> TimeReader:
    """Return the reader of a layout's times."""
    mapping = layout.mapping
    return time_reader(mapping.time_format, mapping.timezone, mapping.year)


def _fits(cells: Sequence[str], width: int) -> bool:
    """Tell whether cells are a row of that width with blank cells behind it, as spreadsheets leave them."""
    return len(cells) > width and all_blank(cells[width:])


def _without(block: RowBlock, problems: Problems) -> RowBlock:
    return block.kept([line not in problems for line in block.lines])


def _filled(name: str, cells: Sequence[str], found: _Findings) -> list[str]:
    values = list(map(visible, cells))
    if not all(values):
        for line, value in zip(found.lines, values, strict=True):
            if not value:
                found.problem(line, f"{name} is empty")
    return values


def _less(counts: Sequence[int], others: Sequence[int]) -> list[int]:
    pairs = zip(counts, others, strict=True)
    return [count if UNSAID in {count, less} else count - less for count, less in pairs]


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
