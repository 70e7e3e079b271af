"""The first pass over a file: its identity, its number of rows and its newest time, before anything is sent."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from agents.importing.csv_source import CsvRow, open_csv
from agents.importing.fields import FieldMapping, ImportFault, Layout, bind
from agents.importing.times import ReadTime, as_datetime, time_reader


@dataclass(frozen=True, slots=True)
class Survey:
    """What a file holds; `source_key` is the import's identity, `newest_ms` is None unless it was asked for."""

    layout: Layout
    source_key: str
    rows: int
    newest_ms: int | None


def survey_file(path: Path, mapping: FieldMapping, *, find_newest: bool = False) -> Survey:
    """Read a whole file once, in bounded memory, and check that every line of it can be read.

    Raises:
        ImportFault: see open_csv, bind and time_reader; also where there are no rows, or no time to be found.
    """
    digest = hashlib.sha256()
    read_time = time_reader(mapping.time_format)
    rows, newest_ms = 0, None
    with open_csv(path, digest) as source:
        layout = bind(mapping, source.header, path.name)
        at = layout.positions["occurred_at"]
        for row in source.rows:
            rows = row.number
            if find_newest and (at_ms := _time_in(row, at, read_time)) is not None:
                newest_ms = at_ms if newest_ms is None else max(newest_ms, at_ms)
    if rows == 0:
        raise ImportFault(f"{path.name} has a header but no rows: there is nothing to import.")
    if find_newest and newest_ms is None:
        raise ImportFault(f"{path.name}: no row has a readable time to shift to now; check --time-format.")
    return Survey(layout, layout.source_key(digest.hexdigest()), rows, newest_ms)


def _time_in(row: CsvRow, at: int, read_time: ReadTime) -> int | None:
    """Return the time of a row; None where rows.py will refuse it and name its line."""
    try:
        at_ms = read_time(row.cells[at])
        as_datetime(at_ms)
    except (ValueError, IndexError, OverflowError):
        return None
    return at_ms
