"""Amounts as people and programs write them, read exactly to the micro-dollar, and never guessed."""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

import pytest

from agents.importing.cells.money import Amount, MoneyEvidence, check_currency, read_amount
from agents.importing.cells.typed import Cell
from agents.importing.cells.visible_text import ImportFault


@pytest.mark.parametrize(
    ("cell", "decimal", "micros"),
    [
        ("$1,234.56", ".", 1_234_560_000),
        ("0.0123", ".", 12_300),
        ("US$ 5", ".", 5_000_000),
        ("5.00 USD", ".", 5_000_000),
        ("1.234,56", ",", 1_234_560_000),
        ("1\N{NARROW NO-BREAK SPACE}234,5", ",", 1_234_500_000),
        ("1\N{RIGHT SINGLE QUOTATION MARK}234.50", ".", 1_234_500_000),
        (".5", ".", 500_000),
        ("-2.50", ".", -2_500_000),
        ("$-2.50", ".", -2_500_000),
        ("(2.50)", ".", -2_500_000),
        ("1.2e-05", ".", 12),
        (7, ".", 7_000_000),
        (0.1, ".", 100_000),
        (Decimal("0.000001"), ".", 1),
    ],
)
def test_an_amount_is_read_exactly(cell: Cell, decimal: Literal[".", ","], micros: int) -> None:
    assert read_amount(cell, decimal) == Amount(micros, rounded=False)


def test_more_than_six_decimals_are_rounded_half_to_even_and_told() -> None:
    assert read_amount("0.0000005", ".") == Amount(0, rounded=True)
    assert read_amount("0.0128943210", ".") == Amount(12_894, rounded=True)


@pytest.mark.parametrize("cell", ["", "abc", "1,23.4", "12,34", "0,123.4", "€5", "5 EUR", "1.2.3", "5.", True, "1e999"])
def test_what_is_no_amount_of_dollars_is_refused(cell: Cell) -> None:
    with pytest.raises(ValueError, match="dollars"):
        read_amount(cell, ".")


@pytest.mark.parametrize(
    ("cells", "sign"),
    [(["1.000", "0.5"], "."), (["1.000", "0,5"], ","), (["1,234.56"], "."), (["7", "12"], None), (["1.234.567"], ",")],
)
def test_the_decimal_sign_is_that_of_the_amounts_which_have_only_one(cells: list[str], sign: str | None) -> None:
    evidence = MoneyEvidence()
    for line, cell in enumerate(cells):
        evidence.see(cell, line)
    assert evidence.decimal("x.csv") == sign


@pytest.mark.parametrize(("cells", "why"), [(["1.000", "7"], "two ways"), (["0.5", "0,5"], "another decimal sign")])
def test_a_file_that_does_not_tell_is_asked_about(cells: list[str], why: str) -> None:
    evidence = MoneyEvidence()
    for line, cell in enumerate(cells, start=2):
        evidence.see(cell, line)
    with pytest.raises(ImportFault, match=why) as fault:
        evidence.decimal("x.csv")
    assert "--decimal" in str(fault.value)
    assert "\n" not in str(fault.value)


def test_dollars_pass_and_another_currency_is_refused_in_one_line() -> None:
    for cell in ("usd", "USD", "$", "", "-"):
        check_currency(cell, "x.csv, line 2")
    with pytest.raises(ImportFault, match=r"x\.csv, line 2: the currency is 'eur', and only USD") as fault:
        check_currency("eur", "x.csv, line 2")
    assert "\n" not in str(fault.value)
