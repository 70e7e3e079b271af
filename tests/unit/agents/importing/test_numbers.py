"""Number conventions: what any convention writes is read back or asked about, never read as another number."""

from __future__ import annotations

from typing import Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.importing.cells.numbers import PLAIN, NumberEvidence, NumberFormat, said_format
from agents.importing.cells.visible_text import ImportFault

CONVENTIONS = {
    "1,000": (",", ""),
    "1.000": (".", ""),
    "1 000": (" ", ""),
    "1\u00a0000": ("\u00a0", ""),
    "1\u202f000": ("\u202f", ""),
    "1'000": ("'", ""),
    "1\u2019000": ("\u2019", ""),
    "1,000.0": (",", ".0"),
    "1.000,00": (".", ",00"),
    "1 000,0": (" ", ",0"),
    "1000.0": ("", ".0"),
    "1000,00": ("", ",00"),
    "1000.000": ("", ".000"),
    "1000": ("", ""),
}
COUNTS = st.lists(st.one_of(st.integers(0, 2_000), st.integers(0, 10**12)), min_size=1, max_size=12)


def written(count: int, convention: tuple[str, str]) -> str:
    thousands, fraction = convention
    return f"{count:,}".replace(",", thousands) + fraction


def found(columns: dict[str, list[str]]) -> NumberFormat:
    evidence = NumberEvidence(columns)
    for name, cells in columns.items():
        for line, cell in enumerate(cells, start=2):
            evidence.see(name, cell, line)
    return evidence.format("x.csv")


def found_or_question(columns: dict[str, list[str]]) -> NumberFormat | str:
    try:
        return found(columns)
    except ImportFault as fault:
        return str(fault)


def read(*cells: str) -> list[int]:
    form = found({"views": list(cells)})
    return [form.count(cell) for cell in cells]


@settings(deadline=None)
@given(st.sampled_from(sorted(CONVENTIONS)), COUNTS, COUNTS)
def test_what_a_convention_writes_is_read_back_or_asked_about(name: str, views: list[int], likes: list[int]) -> None:
    columns = {
        field: [written(count, CONVENTIONS[name]) for count in counts]
        for field, counts in (("views", views), ("likes", likes))
    }
    form = found_or_question(columns)
    if isinstance(form, str):
        assert "--decimal" in form
        assert any(cell in form for cells in columns.values() for cell in cells)
        return
    assert [form.count(cell) for cell in columns["views"]] == views
    assert [form.count(cell) for cell in columns["likes"]] == likes


@settings(deadline=None)
@given(st.sampled_from(sorted(CONVENTIONS)), COUNTS)
def test_what_a_convention_writes_is_read_back_where_the_convention_is_said(name: str, counts: list[int]) -> None:
    thousands, fraction = CONVENTIONS[name]
    decimal = fraction[:1] or ("," if thousands == "." else ".")
    assert decimal in {".", ","}
    form = said_format("," if decimal == "," else ".", None)
    assert form is not None
    assert [form.count(written(count, CONVENTIONS[name])) for count in counts] == counts


@pytest.mark.parametrize("sign", [",", ".", " ", "\u00a0", "\u202f", "'", "\u2019"])
def test_a_thousand_beside_smaller_numbers_is_a_thousand(sign: str) -> None:
    assert read(f"1{sign}000", f"2{sign}000", "987") == [1000, 2000, 987]


def test_a_fixed_fraction_is_none_of_the_number() -> None:
    assert read("5.0", "11.0", "1668.0") == [5, 11, 1668]
    assert read("1.000", "12345.000") == [1, 12_345]


def test_one_column_decides_for_the_others_of_the_file() -> None:
    form = found({"views": ["1.234.567"], "likes": ["1.000", "2.000"]})
    assert form.count("1.000") == 1000
    form = found({"views": ["5.0"], "likes": ["1.000", "2.000"]})
    assert form.count("1.000") == 1


@pytest.mark.parametrize(
    "cells",
    [
        ["1.000", "2.000"],  # one and two with three decimals, or thousands
        ["1,000"],
        ["1.000", "1234"],  # grouped here, not there
        ["1.5", "1,5"],
        ["1,234,567", "1.234.567"],
    ],
)
def test_what_can_mean_two_numbers_is_asked_about(cells: list[str]) -> None:
    with pytest.raises(ImportFault, match="--decimal"):
        read(*cells)


@pytest.mark.parametrize(
    "cell",
    ["1.5", "12,50", "1,00,0", "10000,1", "5%", "1.2345K", "K", "1.2 Q", "-7", "1e3", "٣", "1 2", "0,000,1", "NaN"],
)
def test_what_is_no_whole_number_is_refused_by_every_convention(cell: str) -> None:
    for decimal in (".", ","):
        form = said_format("." if decimal == "." else ",", None)
        assert form is not None
        with pytest.raises(ValueError, match="is not a whole number"):
            form.count(cell)


@pytest.mark.parametrize(
    ("cell", "decimal", "count"),
    [
        ("1.2K", ".", 1_200),
        ("3,4 M", ",", 3_400_000),
        ("2k", ".", 2_000),
        ("1,2 mil", ",", 1_200),
        ("1.5 Mio.", ".", 1_500_000),
        ("1,234.5K", ".", 1_234_500),
        ("2B", ".", 2_000_000_000),
        ("12\N{NARROW NO-BREAK SPACE}тыс.", ",", 12_000),
    ],
)
def test_a_shortened_number_is_read_as_far_as_it_says(cell: str, decimal: Literal[".", ","], count: int) -> None:
    form = said_format(decimal, None)
    assert form is not None
    assert form.count(cell) == count


def test_shortened_numbers_tell_the_decimal_sign_and_are_noted() -> None:
    evidence = NumberEvidence(["views"])
    for line, cell in enumerate(["987", "1,2K", "3 M"], start=2):
        evidence.see("views", cell, line)
    assert evidence.format("x.csv").decimal == ","
    assert evidence.short == ("1,2K", 3)


def test_a_share_is_told_from_garbage() -> None:
    with pytest.raises(ValueError, match="a share, not a count"):
        PLAIN.count("5%")


@settings(deadline=None)
@given(st.integers(-(10**12), 10**12), st.sampled_from(sorted(CONVENTIONS)))
def test_a_change_may_be_negative(change: int, name: str) -> None:
    cell = ("-" if change < 0 else "") + written(abs(change), CONVENTIONS[name])
    thousands, fraction = CONVENTIONS[name]
    form = said_format("," if fraction.startswith(",") or thousands == "." else ".", None)
    assert form is not None
    assert form.change(cell) == change


def test_conventions_that_contradict_themselves_are_refused() -> None:
    with pytest.raises(ImportFault, match="must differ"):
        said_format(",", ",")
    with pytest.raises(ImportFault, match="--thousands '_' is unknown"):
        said_format(None, "_")
    assert said_format(None, None) is None
    assert said_format(None, ".") == NumberFormat(",", ".")
    assert said_format(".", "none") == NumberFormat(".", "")
