"""The first pass over a file: its identity, its number of rows and its newest time, before anything is sent."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from agents.importing.csv_source import open_csv
from agents.importing.fields import FieldMapping, ImportFault, Layout, bind
from agents.importing.times import time_reader


@dataclass(frozen=True, slots=True)
class Survey:
    """What a file holds; `source_key` is the import's identity, `newest_ms` None where no row has a readable time."""

    layout: Layout
    source_key: str
    rows: int
    newest_ms: int | None


def survey_file(path: Path, mapping: FieldMapping) -> Survey:
    """Read a whole file once, in bounded memory, and check that every line of it can be read.

    Raises:
        ImportFault: see open_csv, bind and time_reader; also where there are no rows.
    """
    digest = hashlib.sha256()
    read_time = time_reader(mapping.time_format)
    rows, newest_ms = 0, None
    with open_csv(path, digest) as source:
        layout = bind(mapping, source.header, path.name)
        at = layout.positions["occurred_at"]
        for row in source.rows:
            rows = row.number
            try:
                at_ms = read_time(row.cells[at])
            except (ValueError, IndexError, OverflowError):
                continue  # rows.py reports it, with its line
            newest_ms = at_ms if newest_ms is None else max(newest_ms, at_ms)
    if rows == 0:
        raise ImportFault(f"{path.name} has a header but no rows: there is nothing to import.")
    return Survey(layout, layout.source_key(digest.hexdigest()), rows, newest_ms)
