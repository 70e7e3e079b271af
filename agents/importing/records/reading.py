"""A file of records, read twice: for what all its rows say together, then row by row."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import Any, NamedTuple

from agents.costs.prices import PriceList
from agents.importing.cells.money import MoneyEvidence, check_currency
from agents.importing.cells.numbers import Decimal, NumberEvidence, NumberFormat, said_format
from agents.importing.cells.typed import text_of
from agents.importing.cells.visible_text import ImportFault
from agents.importing.records.cells import BadRow, CellReader
from agents.importing.records.layout import RecordLayout, RecordRequest, layout_of
from agents.importing.records.making import RecordMaker
from agents.importing.records.report import RecordReport
from agents.importing.rejects import Rejects
from agents.importing.sources.source import Row, Source

BLOCK_ROWS = 2_000


@dataclass(frozen=True, slots=True)
class RecordSurvey:
    """What the first reading found: the layout, the rows there are, and how amounts and numbers are written."""

    source: Source
    header: Sequence[str]
    layout: RecordLayout
    rows: int
    decimal: Decimal
    numbers: NumberFormat


class MadeRow(NamedTuple):
    """A good row, and the record that it is."""

    row: Row
    record: dict[str, Any]


def survey_records(source: Source, request: RecordRequest) -> RecordSurvey:
    """Read a file for its columns, its currency and its decimal sign; nothing of it is sent before.

    Raises:
        ImportFault: columns lack, the currency is another one, or amounts can be read in two ways.
    """
    with source.open(is_header=request.is_header) as table:
        layout = layout_of(request, table.header, source.name)
        money, wholes = MoneyEvidence(), _of_kind(layout, "whole")
        numbers = NumberEvidence(wholes)
        amounts, currencies = _of_kind(layout, "money"), _of_kind(layout, "currency")
        rows, width = 0, len(table.header)
        for row in table.rows:
            rows = row.number
            if len(row.cells) < width or not _is_wanted(layout, row):
                continue
            for place in currencies.values():
                check_currency(text_of(row.cells[place]), f"{source.name}, {source.unit} {row.line}")
            for place in amounts.values():
                money.see(row.cells[place], row.line)
            for name, place in wholes.items():
                cell = row.cells[place]
                if isinstance(cell, str):
                    numbers.see(name, cell, row.line)
    if rows == 0:
        raise ImportFault(f"{source.name} has a header but no rows: there is nothing to import.")
    if "currency" in layout.constants:
        check_currency(layout.constants["currency"], "--set currency")
    decimal = layout.decimal or money.decimal(source.name)
    said = said_format(decimal, None) if decimal else None
    form = said or numbers.format(source.name)
    return RecordSurvey(table.again, table.header, layout, rows, decimal or form.decimal, form)


def _of_kind(layout: RecordLayout, reads: str) -> dict[str, int]:
    at = layout.positions
    return {each.name: at[each.name] for each in layout.kind.fields if each.reads == reads and each.name in at}


def _is_wanted(layout: RecordLayout, row: Row) -> bool:
    return all(text_of(row.cells[place]).strip().casefold() in values for place, values in layout.only.items())


@dataclass(slots=True)
class RecordReading:
    """The second reading: rows become records, bad ones are told with their place."""

    survey: RecordSurvey
    maker: RecordMaker
    report: RecordReport
    rejects: Rejects
    cells: CellReader

    @contextmanager
    def blocks(self) -> Iterator[Iterator[list[MadeRow]]]:
        """Give the records, block by block; raises ImportFault where the file is broken."""
        with self.survey.source.open() as table:
            self.rejects.header = self.survey.header
            yield self._blocks(table.rows)
        self._tell()

    def _blocks(self, rows: Iterator[Row]) -> Iterator[list[MadeRow]]:
        while raw := list(islice(rows, BLOCK_ROWS)):
            self.report.rows = raw[-1].number
            yield [made for row in raw if (made := self._made(row)) is not None]

    def _made(self, row: Row) -> MadeRow | None:
        try:
            values = self.cells.values(row, len(self.survey.header))
            if values is None:
                return None
            record = self.maker.record(values)
        except BadRow as fault:
            self.refuse(row, str(fault))
            return None
        self.report.good_rows += 1
        return MadeRow(row, record)

    def refuse(self, row: Row, reason: str) -> None:
        """Tell that a row is bad."""
        self.report.refuse(f"{self.survey.source.unit} {row.line}", reason)
        self.rejects.add(row, reason)

    def _tell(self) -> None:
        report, made = self.report, self.maker.made
        report.rounded, report.left_out = self.cells.rounded, self.cells.left_out
        report.sum_micros, report.priced, report.unpriced = made.micros, made.priced, made.unpriced
        report.first_ms, report.last_ms = made.first_ms, made.last_ms
        twice = sorted(map(str, self.cells.time.twice))
        if twice:
            report.warnings.append(
                f"{len(twice):,} times came twice when the clocks went back in {self.survey.layout.timezone}, such as "
                f"{twice[0]}: the first of the two was taken"
            )


def reading_of(survey: RecordSurvey, prices: PriceList, now_ms: int, rejects: Rejects) -> RecordReading:
    """Return the second reading of a file."""
    layout = survey.layout
    report = RecordReport(survey.source.name, layout.kind.name)
    maker = RecordMaker(layout, f"import:{survey.source.name}", prices, now_ms)
    return RecordReading(survey, maker, report, rejects, CellReader(layout, survey.decimal, survey.numbers))
