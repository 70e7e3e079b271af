"""Cells of a row as the fields of a record, and what is wrong with those that are none."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from agents.importing.cells.money import read_amount
from agents.importing.cells.numbers import Decimal, NumberFormat
from agents.importing.cells.readers import says_nothing, shown_cell
from agents.importing.cells.typed import Cell, text_of, whole_of
from agents.importing.cells.visible_text import visible
from agents.importing.records.kinds import Field, Reads
from agents.importing.records.layout import RecordLayout
from agents.importing.sources.source import Row
from agents.importing.times import TimeReader, as_ms, time_reader
from schemas.record_rules import MAX_AMOUNT

Values = dict[str, Any]
"""A record's fields by name, None where the row says nothing; times in epoch milliseconds, money in micro-dollars."""


class BadRow(Exception):
    """A row is no record; the text says why."""


@dataclass(slots=True)
class CellReader:
    """Reads rows of one file. `rounded` counts amounts with more decimals than micro-dollars have."""

    layout: RecordLayout
    decimal: Decimal
    numbers: NumberFormat
    rounded: int = 0
    left_out: Counter[str] = field(default_factory=Counter)
    time: TimeReader = field(init=False)
    _readers: Mapping[Reads, Callable[[Field, Cell], str | int]] = field(init=False)
    _said: Sequence[Field] = field(init=False)
    _unsaid: Values = field(init=False)

    def __post_init__(self) -> None:
        self.time = time_reader(self.layout.time_format, self.layout.timezone)
        fields, layout = self.layout.kind.fields, self.layout
        self._said = [each for each in fields if layout.has(each.name) or each.name in layout.defaults]
        self._unsaid = {each.name: each.default for each in fields if each not in self._said}
        self._readers = {
            "time": self._moment,
            "money": self._money,
            "whole": self._whole,
            "text": lambda _each, cell: text_of(cell),
            "choice": _choice,
            "model": lambda _each, cell: visible(text_of(cell)).split(", ")[
                0
            ],  # a line item tells its tokens behind it
            "id": self._named,
            "name": self._named,
            "currency": self._named,
        }

    def values(self, row: Row, width: int) -> Values | None:
        """Return the fields of a row, None where it is a row that is left out.

        Raises:
            BadRow: a cell is not what its field needs; the text names all such cells.
        """
        if len(row.cells) < width:
            raise BadRow(f"has {len(row.cells)} cells, the header {width}")
        reason = self._is_left_out(row)
        if reason is not None:
            self.left_out[reason] += 1
            return None
        values: Values = dict(self._unsaid)
        problems = []
        for each in self._said:
            cell = self._cell(each, row)
            try:
                values[each.name] = self._value(each, cell)
            except (ValueError, OverflowError) as error:
                problems.append(f"{each.name} {shown_cell(cell)} {error}")
        if problems:
            raise BadRow("; ".join(problems))
        return values

    def _cell(self, each: Field, row: Row) -> Cell:
        place = self.layout.positions.get(each.name)
        cell = None if place is None else row.cells[place]
        if each.reads != "text" and says_nothing(cell):
            return self.layout.constants.get(each.name, self.layout.defaults.get(each.name))
        return cell

    def _is_left_out(self, row: Row) -> str | None:
        for place, values in self.layout.only.items():
            told = visible(text_of(row.cells[place]))
            if told.casefold() not in values:
                return told or "nothing said"
        return None

    def _value(self, each: Field, cell: Cell) -> str | int | None:
        if says_nothing(cell):
            if each.required and each.default is None:
                raise ValueError("says nothing")
            return each.default
        return self._readers[each.reads](each, cell)

    def _named(self, each: Field, cell: Cell) -> str:
        del each
        return visible(text_of(cell))

    def _moment(self, each: Field, cell: Cell) -> int:
        del each
        if isinstance(cell, datetime) and cell.tzinfo is not None:
            return as_ms(cell)
        if isinstance(cell, bool):
            raise ValueError("is no time")  # noqa: TRY004 - of a cell
        if isinstance(cell, datetime | date) and self.layout.time_format != "iso8601":
            raise ValueError("is a time already: leave --time-format out")
        at_ms = self.time(text_of(cell))
        if at_ms < 0:
            raise ValueError("lies before 1970")
        return at_ms

    def _money(self, each: Field, cell: Cell) -> int:
        del each
        amount = read_amount(cell, self.decimal)
        if amount.micros < 0:
            raise ValueError("is negative: refunds and credits can't be told")
        if amount.micros > MAX_AMOUNT:
            raise ValueError(f"is over {MAX_AMOUNT // 1_000_000:,} dollars, too much for one record")
        self.rounded += amount.rounded
        return amount.micros

    def _whole(self, each: Field, cell: Cell) -> int:
        del each
        value = self.numbers.count(cell) if isinstance(cell, str) else whole_of(cell)
        if value < 0:
            raise ValueError("is negative")
        return value


def _choice(each: Field, cell: Cell) -> str:
    folded = " ".join(visible(text_of(cell)).casefold().split())
    found = each.choices.get(folded) or each.choices.get(folded.replace(" ", "_"))
    if found is None and not each.open:
        raise ValueError(f"is none of {', '.join(sorted(set(each.choices.values())))}")
    return found or folded


def shown_fields(layout: RecordLayout) -> Mapping[str, str]:
    """Return where each field comes from, for people."""
    told = {name: f"column {column!r}" for name, column in layout.columns.items()}
    return told | {name: f"{value!r} in all rows" for name, value in layout.constants.items() if name not in told}
