"""Rows to columns: a block of rows is read field by field, and what is wrong with a row is said with its line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from agents.importing.cells.instants import instants_ms
from agents.importing.cells.numbers import PLAIN, NumberFormat
from agents.importing.cells.readers import UNSAID, count_reader, post_id_reader, says_nothing, shown_cell
from agents.importing.cells.typed import Cell, text_of
from agents.importing.cells.visible_text import all_blank, is_sum, visible
from agents.importing.fields import COUNT_FIELDS, SIGNED_FIELDS, ImportFault, Layout
from agents.importing.row_block import Ints, RowBlock, RowFault
from agents.importing.sources.source import Row, Unit
from agents.importing.times import TimeReader, time_reader
from schemas.rules import LATEST_MS, shown

ESSENTIAL_COUNT = "views"  # where it is unusable the whole row is: the others are compared with it

Problems = dict[int, list[str]]


class RowReader:
    """Read rows of one file by its layout; `shift_ms` is added to every time.

    `numbers` is how the file writes them. Rows without a time are booked at `untimed_ms`; None means that they are bad.
    """

    def __init__(
        self,
        layout: Layout,
        *,
        shift_ms: int = 0,
        numbers: NumberFormat = PLAIN,
        untimed_ms: int | None = None,
        unit: Unit = "line",
    ) -> None:
        at, mapping = layout.positions, layout.mapping
        self._layout = layout
        self._unit = unit
        self._shift_ms = shift_ms
        self._untimed_ms = untimed_ms
        self._time = time_reader(mapping.time_format, mapping.timezone, mapping.year)
        self._as_of_ms = said_as_of_ms(mapping.as_of, mapping.timezone)
        self._post_id = post_id_reader(mapping.post_id_pattern)
        self._count_fields = [name for name in COUNT_FIELDS if name in at]
        self._read_count = {
            False: count_reader(numbers.count, signed=False),
            True: count_reader(numbers.change, signed=True),
        }
        self.kinds = [COUNT_FIELDS[name] for name in self._count_fields]

    def read(self, rows: Sequence[Row]) -> tuple[RowBlock, list[RowFault]]:
        """Return the good rows, and a fault for each bad one: its line and everything that is wrong with it."""
        width = self._layout.width
        problems: Problems = {
            row.line: [f"has {len(row.cells)} cells, the header has {width}"]
            for row in rows
            if len(row.cells) != width and not _fits(row.cells, width)
        }
        whole = [row for row in rows if row.line not in problems] if problems else rows
        cells = columns_of(whole, width)
        sums = self._sums(cells)
        if sums:
            whole = [row for place, row in enumerate(whole) if place not in sums]
            cells = columns_of(whole, width)
        block = self._columns(whole, cells, problems, len(sums))
        if problems:
            block = _without(block, problems)
        return block, [RowFault(line, f"{self._unit} {line}: {'; '.join(problems[line])}") for line in sorted(problems)]

    def check(self, file_name: str) -> None:
        """Refuse times that can't all be right, once all rows are read; raises ImportFault."""
        self._time.check(file_name)

    def _sums(self, cells: Sequence[Sequence[Cell]]) -> set[int]:
        """Return the places of rows that sum up others."""
        at, found = self._layout.positions, set[int]()
        for name in ("post_id", "occurred_at"):
            column = cells[at[name]] if name in at else ()
            sums = {cell for cell in set(column) if isinstance(cell, str) and is_sum(cell)}
            found |= {place for place, cell in enumerate(column) if cell in sums} if sums else set()
        return found

    def _columns(self, rows: Sequence[Row], cells: Sequence[Sequence[Cell]], problems: Problems, sums: int) -> RowBlock:
        layout = self._layout
        lines = [row.line for row in rows]
        numbers = [row.number for row in rows]
        columns = {name: cells[place] for name, place in layout.positions.items()}
        taken_off = {name: cells[place] for name, place in layout.subtracted.items()}
        found = _Findings(lines, problems, unit=self._unit)
        as_of = self._as_ofs(columns.get("as_of"), found)
        at = columns["occurred_at"]
        instants = self._instants(at)
        times = self._times(at, as_of, found) if instants is None else instants
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
            texts=_texts("text", columns["text"], found) if "text" in columns else None,
            counts=counts,
            said=said,
            as_of_ms=as_of,
            timed=[True] * len(rows) if instants is not None else [not says_nothing(cell) for cell in at],
            shift_ms=self._shift_ms,
            notes=found.told(),
            sums=sums,
            unit=self._unit,
        )

    def _as_ofs(self, cells: Sequence[Cell] | None, found: _Findings) -> list[int | None]:
        if cells is None or self._as_of_ms is not None:
            return [self._as_of_ms] * len(found.lines)
        moments: list[int | None] = []
        for line, cell in zip(found.lines, cells, strict=True):
            try:
                moments.append(None if says_nothing(cell) or is_sum(text_of(cell)) else self._time(cell))
            except ValueError as error:
                found.note(line, f"as_of {shown_cell(cell)} {error}")
                moments.append(None)
        return moments

    def _instants(self, cells: Sequence[Cell]) -> list[int] | None:
        """Return the times of cells that all say theirs in full, None where they are to be read one by one."""
        found = instants_ms(cells) if cells and self._layout.mapping.time_format == "iso8601" else None
        if found is None or min(found) + self._shift_ms < 0 or max(found) + self._shift_ms > LATEST_MS:
            return None
        return [at_ms + self._shift_ms for at_ms in found]

    def _times(self, cells: Sequence[Cell], as_of: Sequence[int | None], found: _Findings) -> list[int]:
        times = []
        for line, cell, latest_ms in zip(found.lines, cells, as_of, strict=True):
            try:
                times.append(self._time_of(cell, latest_ms))
            except ValueError as error:
                found.problem(line, f"occurred_at {shown_cell(cell)} {error}")
                times.append(0)
                continue
            if cell in self._time.twice:
                zone = self._layout.mapping.timezone
                what = f"came twice by the clocks of {zone}; the first is taken"
                found.note(line, f"occurred_at {shown_cell(cell)} {what}")
            elif says_nothing(cell):
                found.note(line, "occurred_at is blank; booked at the time of the export, or else of the import")
        return times

    def _time_of(self, cell: Cell, latest_ms: int | None) -> int:
        if self._untimed_ms is not None and says_nothing(cell):
            return (self._untimed_ms if latest_ms is None else latest_ms) + self._shift_ms
        try:
            at_ms = self._time(cell, latest_ms) + self._shift_ms
        except OverflowError:
            at_ms = -1
        if not 0 <= at_ms <= LATEST_MS:
            raise ValueError("is outside the calendar: times from 1970 to 9999 are taken")
        return at_ms

    def _posts(self, cells: Sequence[Cell], numbers: Sequence[int], found: _Findings) -> list[str]:
        posts = []
        for line, cell in zip(found.lines, _texts("post_id", cells, found), strict=True):
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

    def _count_column(self, name: str, cells: Sequence[Cell], found: _Findings) -> list[int]:
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
                spoilt(line, f"{name} {shown_cell(cell)} {error}")
                values.append(UNSAID)
        return values


@dataclass(frozen=True, slots=True)
class _Findings:
    """What is wrong with rows, by line: `problems` make a row bad, `notes` are of what is left out of a good one."""

    lines: Sequence[int]
    problems: Problems
    notes: Problems = field(default_factory=dict)
    unit: Unit = "line"

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
        return [f"{self.unit} {line}: {'; '.join(self.notes[line])}" for line in sorted(self.notes)]


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


def _fits(cells: Sequence[Cell], width: int) -> bool:
    """Tell whether cells are a row of that width with blank cells behind it, as spreadsheets leave them."""
    return len(cells) > width and all_blank(list(map(text_of, cells[width:])))


def _without(block: RowBlock, problems: Problems) -> RowBlock:
    return block.kept([line not in problems for line in block.lines])


def _filled(name: str, cells: Sequence[Cell], found: _Findings) -> list[str]:
    values = list(map(visible, _texts(name, cells, found)))
    if not all(values):
        for line, value in zip(found.lines, values, strict=True):
            if not value:
                found.problem(line, f"{name} is empty")
    return values


def _less(counts: Sequence[int], others: Sequence[int]) -> list[int]:
    pairs = zip(counts, others, strict=True)
    return [count if UNSAID in {count, less} else count - less for count, less in pairs]


def columns_of(rows: Sequence[Row], width: int) -> Sequence[Sequence[Cell]]:
    """Return the first `width` cells of rows, which have so many, as columns."""
    if all(len(row.cells) == width for row in rows):
        return list(zip(*(row.cells for row in rows), strict=True)) or [()] * width
    return list(zip(*(row.cells[:width] for row in rows), strict=True))


def _texts(name: str, cells: Sequence[Cell], found: _Findings) -> Sequence[str]:
    """Return cells as texts; most are already."""
    if set(map(type, cells)) <= {str}:
        return cast("Sequence[str]", cells)
    texts = []
    for line, cell in zip(found.lines, cells, strict=True):
        try:
            texts.append(text_of(cell))
        except ValueError as error:
            found.problem(line, f"{name} {error}")
            texts.append("")
    return texts
