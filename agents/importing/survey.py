"""The first pass over a file: its identity, its number of rows, how it writes numbers, before anything is sent."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from agents.importing.cells.identifiers import RoundedIds
from agents.importing.cells.numbers import PLAIN, NumberEvidence, NumberFormat
from agents.importing.cells.visible_text import visible
from agents.importing.csv_source import CsvForm, CsvRow, open_csv
from agents.importing.fields import COUNT_FIELDS, FieldMapping, ImportFault, Layout, bind
from agents.importing.rows import time_reader_of
from agents.importing.times import TimeReader, as_datetime

ANY_FORM = CsvForm()


@dataclass(frozen=True, slots=True)
class Survey:
    """What a file holds; `source_key` is the import's identity, `newest_ms` is None unless it was asked for.

    `form` is how the file is to be opened, `numbers` how it writes them.
    """

    layout: Layout
    source_key: str
    rows: int
    newest_ms: int | None
    form: CsvForm = ANY_FORM
    numbers: NumberFormat = PLAIN


def survey_file(path: Path, mapping: FieldMapping, *, find_newest: bool = False, form: CsvForm | None = None) -> Survey:
    """Read a whole file once, in bounded memory, and check that every line of it can be read.

    Raises:
        ImportFault: see open_csv, bind, time_reader, NumberEvidence.format and RoundedIds.check; also where there are
            no rows, or no time to be found.
    """
    digest = hashlib.sha256()
    rows, newest_ms = 0, None
    with open_csv(path, digest, form, lambda cells, _preamble: mapping.fits(cells)) as source:
        layout = bind(mapping, source.header, path.name)
        read_time = time_reader_of(layout)
        seen = _Evidence(layout)
        at = layout.positions["occurred_at"]
        for row in source.rows:
            rows = row.number
            seen.see(row)
            if find_newest and (at_ms := _time_in(row, at, read_time)) is not None:
                newest_ms = at_ms if newest_ms is None else max(newest_ms, at_ms)
    if rows == 0:
        raise ImportFault(f"{path.name} has a header but no rows: there is nothing to import.")
    if find_newest and newest_ms is None:
        raise ImportFault(f"{path.name}: no row has a readable time to shift to now; check --time-format.")
    numbers = seen.numbers(path.name)
    found = CsvForm(source.encoding, source.delimiter)
    return Survey(layout, layout.source_key(digest.hexdigest()), rows, newest_ms, found, numbers)


class _Evidence:
    """What all rows of a file say of its numbers and its ids."""

    def __init__(self, layout: Layout) -> None:
        at, self._mapping = layout.positions, layout.mapping
        places = [(name, at[name]) for name in COUNT_FIELDS if name in at]
        self._places = [*places, *((f"{name} (taken off)", place) for name, place in layout.subtracted.items())]
        self._numbers = NumberEvidence(name for name, _ in self._places)
        self._ids = RoundedIds()
        self._id_at = None if self._mapping.trust_ids or self._mapping.post_id_pattern else at.get("post_id")
        self._width = layout.width

    def see(self, row: CsvRow) -> None:
        """Take note of a row; one that is too short says nothing."""
        if len(row.cells) < self._width:
            return
        if self._mapping.numbers is None:
            for name, place in self._places:
                self._numbers.see(name, row.cells[place], row.line)
        if self._id_at is not None:
            self._ids.see((visible(row.cells[self._id_at]),))

    def numbers(self, file_name: str) -> NumberFormat:
        """Return how numbers are written, and refuse rounded ids; raises ImportFault."""
        self._ids.check(file_name)
        return self._mapping.numbers or self._numbers.format(file_name)


def _time_in(row: CsvRow, at: int, read_time: TimeReader) -> int | None:
    """Return the time of a row; None where rows.py will refuse it and name its line."""
    try:
        at_ms = read_time(row.cells[at])
        as_datetime(at_ms)
    except (ValueError, IndexError, OverflowError):
        return None
    return at_ms
