"""A source that is read twice: a survey of all of it, then rows in blocks, from the first or where an import was."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import islice

from agents.importing.cells.numbers import PLAIN, NumberFormat
from agents.importing.decisions.planning import Planner
from agents.importing.decisions.twins import NO_HASHES, Hashes, Numbers, RepeatedRows, RepeatedTwins
from agents.importing.evidence import Evidence
from agents.importing.fields import COUNT_FIELDS, FieldMapping, ImportFault, Layout, bind
from agents.importing.rejects import Rejects
from agents.importing.row_block import RowBlock, RowFault
from agents.importing.rows import RowReader, columns_of
from agents.importing.sources.source import Row, Source, Table

BLOCK_ROWS = 4_000  # a decision and two waits for the broker each

OnRead = Callable[[int], None]
"""Called with the rows that were read so far."""


@dataclass(frozen=True, slots=True)
class Survey:
    """What a source holds; `source_key` is the import's identity, `newest_ms` is None unless it was asked for.

    `source` is to be opened again, `header` its columns, `types` what it says of them, `numbers` how it writes numbers;
    `repeated` are the hashes of rows that share persona, post and time.
    """

    layout: Layout
    source_key: str
    rows: int
    newest_ms: int | None
    source: Source
    header: Sequence[str] = ()
    numbers: NumberFormat = PLAIN
    types: Mapping[str, str] = field(default_factory=dict)
    repeated: Hashes = field(default_factory=lambda: NO_HASHES)
    warnings: Sequence[str] = ()


def survey(
    source: Source, mapping: FieldMapping, *, find_newest: bool = False, on_read: OnRead | None = None
) -> Survey:
    """Read a whole source once, in bounded memory, and check that every row of it can be read.

    Raises:
        ImportFault: see Source.open, bind, time_reader, NumberEvidence.format and RoundedIds.check; also where there
            are no rows, or no time to be found.
    """
    digest, keeps_twins = hashlib.sha256(), mapping.counts != "totals"
    with source.open(digest, lambda cells, _preamble: mapping.fits(cells)) as table, RepeatedRows() as repeated:
        layout = bind(mapping, table.header, source.name)
        seen = Evidence(layout)
        rows, newest_ms = _read_all(table, layout, seen, repeated if keeps_twins or find_newest else None, on_read)
        numbers, hashes = seen.numbers(source.name), repeated.found()
    if rows == 0:
        raise ImportFault(f"{source.name} has a header but no rows: there is nothing to import.")
    newest_ms = newest_ms if find_newest else None
    if find_newest and newest_ms is None:
        raise ImportFault(f"{source.name}: no row has a readable time to shift to now; check --time-format.")
    key = layout.source_key(digest.hexdigest())
    warnings = seen.warnings(source.unit)
    return Survey(layout, key, rows, newest_ms, table.again, table.header, numbers, table.types, hashes, warnings)


def _read_all(
    table: Table, layout: Layout, seen: Evidence, repeated: RepeatedRows | None, on_read: OnRead | None
) -> tuple[int, int | None]:
    """Return the number of rows, and the newest time where times are looked at: for the rows that are repeated."""
    newest_ms, rows, reader = None, 0, RowReader(_without_counts(layout))
    while block := list(islice(table.rows, BLOCK_ROWS)):
        rows = block[-1].number
        whole = [row for row in block if len(row.cells) >= layout.width]
        if whole:
            seen.see(columns_of(whole, layout.width), [row.line for row in whole])
        if repeated is not None:
            good, _ = reader.read(block)
            repeated.note(good)
            newest_ms = max(newest_ms or 0, int(good.occurred_ms.max())) if good.numbers else newest_ms
        if on_read is not None:
            on_read(rows)
    return rows, newest_ms


def _without_counts(layout: Layout) -> Layout:
    """Return the layout of who, what and when alone: how the counts are to be read is not known yet."""
    positions = {name: at for name, at in layout.positions.items() if name not in {*COUNT_FIELDS, "text"}}
    return replace(layout, positions=positions, subtracted={})


@dataclass(frozen=True, slots=True)
class ReadBlock:
    """A block of rows as it was read: the good ones with the numbers of their slots, and the faults of the others."""

    block: RowBlock
    slots: Numbers
    faults: list[RowFault]
    raw: list[Row]

    @property
    def rows(self) -> int:
        """Return how many rows were read."""
        return len(self.raw)

    @property
    def last(self) -> int:
        """Return the number of the last row."""
        return self.raw[-1].number

    def parts(self) -> Iterator[tuple[RowBlock, Numbers]]:
        """Yield the halves of the good rows."""
        middle = len(self.slots) // 2
        for part in (slice(None, middle), slice(middle, None)):
            yield self.block.part(part), self.slots[part]


@dataclass(frozen=True, slots=True)
class Reading:
    """One reading of a source: how, and from which row; `now_ms` is the time of totals that have none."""

    survey: Survey
    now_ms: int
    shift_ms: int = 0
    adopted_rows: int = 0
    row_reader: RowReader = field(init=False)

    def __post_init__(self) -> None:
        layout, source = self.survey.layout, self.survey.source
        untimed_ms = self.now_ms if layout.mapping.counts == "totals" else None
        reader = RowReader(
            layout, shift_ms=self.shift_ms, numbers=self.survey.numbers, untimed_ms=untimed_ms, unit=source.unit
        )
        object.__setattr__(self, "row_reader", reader)

    @property
    def name(self) -> str:
        """Return the source's name."""
        return self.survey.source.name

    @property
    def mapping(self) -> FieldMapping:
        """Return the mapping."""
        return self.survey.layout.mapping

    def planner(self) -> Planner:
        """Return a planner that begins at the first row."""
        return Planner(
            self.mapping,
            self.row_reader.kinds,
            RepeatedTwins(self.survey.repeated),
            reading=self.survey.source_key,
            adopted_rows=self.adopted_rows,
        )

    @contextmanager
    def rows(self) -> Iterator[Iterator[Row]]:
        """Open the source and give its rows; raises as Source.open does."""
        with self.survey.source.open(None, lambda cells, _: self.mapping.fits(cells)) as table:
            yield table.rows

    def next_block(self, rows: Iterator[Row], planner: Planner) -> ReadBlock | None:
        """Read the next block, None at the end."""
        raw = list(islice(rows, BLOCK_ROWS))
        if not raw:
            return None
        block, faults = self.row_reader.read(raw)
        return ReadBlock(block, planner.slots(block), faults, raw)


def reject(faults: Sequence[RowFault], read: ReadBlock, rejects: Rejects) -> None:
    """Add the bad rows of a block to the rejects."""
    if faults:
        at = {row.line: row for row in read.raw}
        for fault in faults:
            rejects.add(at[fault.line], str(fault))
