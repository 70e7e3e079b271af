"""Amounts of dollars in a file, read to whole micro-dollars: the decimal sign is found from all of them, or said."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from decimal import ROUND_HALF_EVEN, Decimal
from typing import NamedTuple

from agents.importing.cells.numbers import APOSTROPHES, DECIMALS, SPACES
from agents.importing.cells.numbers import Decimal as DecimalSign
from agents.importing.cells.typed import Cell
from agents.importing.cells.visible_text import ImportFault, is_blank, visible
from schemas.rules import shown

DOLLARS = frozenset({"$", "us$", "usd", "usd$", "dollar", "dollars"})
MICROS = Decimal(1_000_000)
_LARGEST = Decimal(10) ** 15
_SPACED = re.escape(SPACES + APOSTROPHES)
_AMOUNT = re.compile(rf"(?P<before>[^\d.,+\-(]*)(?P<number>[\d.,{_SPACED}]*\d[\d.,]*)(?P<after>[^\d.,]*)", re.ASCII)
_EXPONENT = re.compile(r"\d+(\.\d+)?[eE][-+]?\d{1,3}", re.ASCII)
_GROUP = 3  # digits between two signs of thousands


class Amount(NamedTuple):
    """Micro-dollars, and whether the cell said more decimals than these have."""

    micros: int
    rounded: bool


@dataclass(slots=True)
class MoneyEvidence:
    """The decimal signs that the amounts of a file can have.

    `1,234.56` and `0.0123` can be written in one way alone, `1.234` in two: then the other amounts decide, and where
    none does, nothing is guessed.
    """

    possible: set[DecimalSign] = field(default_factory=lambda: set(DECIMALS))
    doubtful: tuple[str, int] | None = None
    contrary: tuple[str, int] | None = None

    def see(self, cell: Cell, line: int) -> None:
        """Take note of a cell that may be an amount; others are told when they are read."""
        if not isinstance(cell, str) or not (number := _number(cell)):
            return
        signs = _decimal_signs(number)
        if len(signs) > 1 and ("." in number or "," in number):
            self.doubtful = self.doubtful or (cell, line)
        if signs and not signs & self.possible:
            self.contrary = self.contrary or (cell, line)
        elif signs:
            self.possible &= signs

    def decimal(self, file_name: str) -> DecimalSign | None:
        """Return the decimal sign, None where no amount has one.

        Raises:
            ImportFault: the file can be read in two ways, or its amounts are written in both.
        """
        if self.contrary is not None:
            cell, line = self.contrary
            raise ImportFault(
                f"{file_name}, line {line}: {shown(cell)} has another decimal sign than the amounts before it; say "
                "--decimal . or --decimal , to read the rows that fit it."
            )
        if len(self.possible) == 1:
            return next(iter(self.possible))
        if self.doubtful is None:
            return None
        cell, line = self.doubtful
        raise ImportFault(
            f"{file_name}, line {line}: {shown(cell)} can be read in two ways, and no other amount tells which. Say "
            "--decimal . if 1.000 is one dollar, --decimal , if it is a thousand."
        )


def read_amount(cell: Cell, decimal: DecimalSign) -> Amount:
    """Return an amount of dollars: `$1,234.56`, `0.0123 USD`, `1.234,56`, `(5.00)`; more decimals are rounded.

    Raises:
        ValueError: it is none, or of another currency, or as large as no amount is.
    """
    value = _typed(cell) if not isinstance(cell, str) else _text(cell, decimal)
    if not value.is_finite() or abs(value) >= _LARGEST:
        raise ValueError("is no amount of dollars")
    exact = value * MICROS
    micros = exact.to_integral_value(ROUND_HALF_EVEN)
    return Amount(int(micros), micros != exact)


def check_currency(cell: str, place: str) -> None:
    """Refuse amounts of another currency than US dollars: no rate of exchange is known. Blank cells say nothing.

    Raises:
        ImportFault: it is another one; `place` tells where.
    """
    if not is_blank(cell) and visible(cell).casefold() not in DOLLARS:
        raise ImportFault(
            f"{place}: the currency is {shown(visible(cell))}, and only USD is counted; convert the amounts to dollars "
            "first, or leave these rows out. Nothing was sent."
        )


def _typed(cell: Cell) -> Decimal:
    if isinstance(cell, bool) or not isinstance(cell, int | float | Decimal):
        raise ValueError("is no amount of dollars")  # noqa: TRY004 - of a cell
    return Decimal(repr(cell)) if isinstance(cell, float) else Decimal(cell)


def _text(cell: str, decimal: DecimalSign) -> Decimal:
    text, negative = _unsigned(cell)
    if _EXPONENT.fullmatch(text):
        return -Decimal(text) if negative else Decimal(text)
    match = _AMOUNT.fullmatch(text)
    if match is None:
        raise ValueError("is no amount of dollars")
    for currency in (match["before"], match["after"]):
        if currency.strip() and currency.strip().casefold() not in DOLLARS:
            raise ValueError(f"is in {currency.strip()}, not in dollars; convert it first")
    whole, point, fraction = match["number"].strip().partition(decimal)
    thousands = ("," if decimal == "." else ".") + SPACES + APOSTROPHES
    groups = re.split(f"[{re.escape(thousands)}]", whole)
    first, *others = groups
    sizes_fit = first[:1] != "0" and 0 < len(first) <= _GROUP and all(len(each) == _GROUP for each in others)
    is_grouped = not others or sizes_fit
    digits = "".join(groups)
    if not is_grouped or not (digits + fraction).isdecimal() or (point and not fraction):
        raise ValueError(f"is no amount of dollars with the decimal sign {decimal}")
    value = Decimal(f"{digits or '0'}.{fraction or '0'}")
    return -value if negative else value


def _unsigned(cell: str) -> tuple[str, bool]:
    """Return the text of a cell without its sign, and whether it was a minus: before, behind `$`, or in parentheses."""
    text = visible(cell).replace("\N{MINUS SIGN}", "-")
    if text.startswith("(") and text.endswith(")"):
        return text[1:-1].strip(), True
    if "-" in text and not _EXPONENT.fullmatch(text.lstrip("-")):
        return text.replace("-", "", 1).strip(), True
    return text.lstrip("-+").strip(), text.startswith("-")


def _number(cell: str) -> str | None:
    text, _ = _unsigned(cell)
    match = _AMOUNT.fullmatch(text)
    return None if match is None or _EXPONENT.fullmatch(text) else match["number"].strip()


def _decimal_signs(number: str) -> set[DecimalSign]:
    """Return the decimal signs that a number can have; none where it can't be one."""
    found: set[DecimalSign] = set()
    for sign in DECIMALS:
        try:
            _text(number, sign)
        except ValueError:
            continue
        found.add(sign)
    return found
