"""A file that is ready to be read: its survey, and its rows in blocks, from the first or from where an import was."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from agents.importing.csv_source import CsvRow, open_csv
from agents.importing.decisions.known_counts import Slot
from agents.importing.decisions.planning import Planner
from agents.importing.fields import FieldMapping
from agents.importing.rows import RowBlock, RowReader
from agents.importing.survey import Survey
from streams.errors import RecordFault

BLOCK_ROWS = 2_000


@dataclass(frozen=True, slots=True)
class ReadBlock:
    """A block of rows as it was read: the good ones with their slots, and the faults of the others."""

    block: RowBlock
    slots: list[Slot]
    faults: list[RecordFault]
    rows: int
    last: int

    def parts(self) -> Iterator[tuple[RowBlock, list[Slot]]]:
        """Yield the halves of the good rows."""
        middle = len(self.slots) // 2
        for part in (slice(None, middle), slice(middle, None)):
            yield self.block.part(part), self.slots[part]


@dataclass(frozen=True, slots=True)
class Reading:
    """One reading of a file: how, and from which row; `now_ms` is the time of totals that have none."""

    path: Path
    survey: Survey
    now_ms: int
    shift_ms: int = 0
    adopted_rows: int = 0
    row_reader: RowReader = field(init=False)

    def __post_init__(self) -> None:
        layout = self.survey.layout
        untimed_ms = self.now_ms if layout.mapping.counts == "totals" else None
        reader = RowReader(layout, shift_ms=self.shift_ms, numbers=self.survey.numbers, untimed_ms=untimed_ms)
        object.__setattr__(self, "row_reader", reader)

    @property
    def mapping(self) -> FieldMapping:
        """Return the mapping."""
        return self.survey.layout.mapping

    def planner(self) -> Planner:
        """Return a planner that begins at the first row."""
        kinds = self.row_reader.kinds
        return Planner(self.mapping, kinds, reading=self.survey.source_key, adopted_rows=self.adopted_rows)

    @contextmanager
    def rows(self) -> Iterator[Iterator[CsvRow]]:
        """Open the file and give its rows; raises as open_csv does."""
        with open_csv(self.path, None, self.survey.form, lambda cells, _: self.mapping.fits(cells)) as source:
            yield source.rows

    def next_block(self, rows: Iterator[CsvRow], planner: Planner) -> ReadBlock | None:
        """Read the next block, None at the end."""
        raw = list(islice(rows, BLOCK_ROWS))
        if not raw:
            return None
        block, faults = self.row_reader.read(raw)
        return ReadBlock(block, planner.slots(block), faults, len(raw), raw[-1].number)
