"""How a file writes numbers: found from all its counts together or said, never guessed cell by cell."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from fractions import Fraction
from functools import lru_cache
from typing import Literal

from agents.importing.cells.visible_text import ImportFault, is_blank, visible
from schemas.rules import shown

Decimal = Literal[".", ","]

MAX_COUNT = 2**63 - 1
DISTINCT_COUNTS_KEPT = 65_536
DECIMALS: tuple[Decimal, ...] = (".", ",")
SPACES = " \N{NO-BREAK SPACE}\N{NARROW NO-BREAK SPACE}\N{THIN SPACE}\N{FIGURE SPACE}"
APOSTROPHES = "'\N{RIGHT SINGLE QUOTATION MARK}"
FRACTION_LOOKED_AT = 400  # digits, more than any program writes
_PLAIN_BELOW = 1_000  # the least number that is written in groups

SHORT_FORMS: Mapping[str, int] = {
    **dict.fromkeys(("k", "tsd", "mil", "тыс", "тис"), 10**3),
    **dict.fromkeys(("m", "mi", "mn", "mio", "mln", "млн"), 10**6),
    **dict.fromkeys(("b", "bn", "mrd", "млрд"), 10**9),
}
"""What `1.2K` and its kin multiply by, in the languages of exports."""
_SHORT = re.compile(
    rf"(?P<number>\d(?:[\d.,{SPACES}{APOSTROPHES}]*\d)?)\s*(?P<unit>{'|'.join(SHORT_FORMS)})\.?", re.IGNORECASE
)
_SIGNED = re.compile(r"[-\N{MINUS SIGN}](?=\d)")


class Fit(Enum):
    """What a cell is by a convention."""

    WHOLE = auto()
    FRACTION = auto()  # a number, but not a whole one
    NONE = auto()  # no number


@dataclass(frozen=True, slots=True)
class NumberFormat:
    """How numbers are written: the decimal sign, and the signs between groups of three digits; "" means none."""

    decimal: Decimal = "."
    thousands: str = ""

    def fit(self, cell: str) -> Fit:
        """Return what a visible cell is."""
        value = self._value(cell)
        if value is None:
            return Fit.NONE
        return Fit.WHOLE if value.denominator == 1 else Fit.FRACTION

    def count(self, cell: str) -> int:
        """Return the whole number in a cell.

        Raises:
            ValueError: it is none from 0 to MAX_COUNT.
        """
        text = visible(cell)
        value = self._value(text)
        if value is None or value > MAX_COUNT or value.denominator != 1:
            raise ValueError(f"is not a whole number from 0 to 2^63-1, written {self.described()}{_advice(text)}")
        return int(value)

    def change(self, cell: str) -> int:
        """Return the whole number in a cell, which may be negative; raises as `count` does."""
        text = visible(cell)
        return -self.count(text[1:]) if _SIGNED.match(text) else self.count(text.removeprefix("+"))

    def described(self) -> str:
        """Complete "written ..."."""
        if not self.thousands:
            return "in digits alone"
        return f"like {'1' + self.thousands[0] + '234'!r}"

    def _value(self, text: str) -> Fraction | None:
        """Return the number in a text, None where there is none: 1.2K is 1200, as far as the file says it."""
        short = _SHORT.fullmatch(text)
        match = _pattern(self).fullmatch(short["number"] if short else text)
        if match is None:
            return None
        digits = "".join(filter(str.isdecimal, match["whole"])).lstrip("0")
        if len(digits) > len(str(MAX_COUNT)):
            return Fraction(MAX_COUNT + 1)
        factor = SHORT_FORMS[short["unit"].casefold()] if short else 1
        fraction = (match["fraction"] or "0")[:FRACTION_LOOKED_AT]
        return (int(digits or 0) + Fraction(int(fraction), 10 ** len(fraction))) * factor


PLAIN = NumberFormat()


@lru_cache(maxsize=64)
def _pattern(form: NumberFormat) -> re.Pattern[str]:
    plain = r"\d+"
    signs = re.escape(form.thousands)
    whole = rf"[1-9]\d{{0,2}}(?P<sign>[{signs}])\d{{3}}(?:(?P=sign)\d{{3}})*|{plain}" if signs else plain
    return re.compile(rf"(?P<whole>{whole})(?:{re.escape(form.decimal)}(?P<fraction>\d+))?", re.ASCII)


def is_short(text: str) -> bool:
    """Tell whether a number is written shortened, and so rounded by who wrote it."""
    return not text.isdecimal() and _SHORT.fullmatch(text) is not None


def _advice(text: str) -> str:
    return "; it is a share, not a count" if text.endswith("%") else ""


def said_format(decimal: Decimal | None, thousands: str | None) -> NumberFormat | None:
    """Return the convention that is said, None where nothing is.

    Raises:
        ImportFault: both signs are the same, or the one for thousands is none that is known.
    """
    if decimal is None and thousands is None:
        return None
    if decimal is None:
        decimal = "." if thousands != "." else ","
    if thousands is None:
        return NumberFormat(decimal, _grouping(decimal))
    groups = {"space": SPACES, " ": SPACES, "apostrophe": APOSTROPHES, "'": APOSTROPHES, "none": "", "": ""}
    signs = groups.get(thousands, thousands)
    if thousands not in groups and thousands not in DECIMALS:
        raise ImportFault(f"--thousands {thousands!r} is unknown; use one of: . , space apostrophe none")
    if decimal in signs:
        raise ImportFault(f"--decimal and --thousands are both {decimal!r}; they must differ.")
    return NumberFormat(decimal, signs)


def _grouping(decimal: Decimal) -> str:
    return ("," if decimal == "." else ".") + SPACES + APOSTROPHES


CANDIDATES: tuple[NumberFormat, ...] = tuple(NumberFormat(decimal, _grouping(decimal)) for decimal in DECIMALS)


@dataclass(slots=True)
class _Column:
    """What the cells of a column say for and against each of CANDIDATES."""

    refuted: list[bool] = field(default_factory=lambda: [False] * len(CANDIDATES))
    grouped: list[bool] = field(default_factory=lambda: [False] * len(CANDIDATES))
    fraction: list[bool] = field(default_factory=lambda: [False] * len(CANDIDATES))
    bare: bool = False  # some number has no sign at all
    large_bare: bool = False  # and one of those is long enough for one
    doubtful: tuple[str, int] | None = None  # the first cell that the candidates read differently, and its line

    def see(self, cell: str, line: int) -> None:
        if cell.isdecimal() and cell.isascii():
            self.bare = True
            self.large_bare = self.large_bare or len(cell) >= len(str(_PLAIN_BELOW))
            return
        fits = [each.fit(cell) for each in CANDIDATES]
        best = min(fits, key=lambda fit: fit.value)
        for place, (form, fit) in enumerate(zip(CANDIDATES, fits, strict=True)):
            self.refuted[place] |= fit.value > best.value
            if fit is not Fit.NONE and not is_short(cell):
                self.grouped[place] |= any(sign in cell.partition(form.decimal)[0] for sign in form.thousands)
                self.fraction[place] |= form.decimal in cell
        if self.doubtful is None and best is not Fit.NONE and ("." in cell or "," in cell):
            self.doubtful = (cell, line)

    def is_even(self, place: int) -> bool:
        """Tell whether a candidate takes all numbers to be written alike: with a fraction or not, grouped or not."""
        return not (self.fraction[place] and self.bare) and not (self.grouped[place] and self.large_bare)


class NumberEvidence:
    """All counts of a file, seen column by column, and the convention that follows from them."""

    def __init__(self, names: Iterable[str]) -> None:
        self._columns = {name: _Column() for name in names}
        self.short: tuple[str, int] | None = None  # the first cell that is shortened, and its line

    def see(self, name: str, cell: str, line: int) -> None:
        """Take note of a cell of a column of counts."""
        if cell.isdecimal() and cell.isascii():
            self._columns[name].see(cell, line)
        elif not is_blank(cell):
            text = _SIGNED.sub("", visible(cell))
            self.short = self.short or ((text, line) if is_short(text) else None)
            self._columns[name].see(text, line)

    def format(self, file_name: str) -> NumberFormat:
        """Return the convention by which every cell that is a number at all is one.

        Where several are possible and differ, the one by which each column is written evenly; a column with `1.000` and
        `987` has thousands, for a fixed fraction would stand behind 987 too.

        Raises:
            ImportFault: none or several are possible; the text names a cell and what to say.
        """
        columns = list(self._columns.values())
        possible = [place for place in range(len(CANDIDATES)) if not any(each.refuted[place] for each in columns)]
        doubtful = self._doubtful()
        if not doubtful:
            return CANDIDATES[possible[0] if possible else 0]
        if len(possible) > 1:
            possible = [place for place in possible if all(each.is_even(place) for each in columns)]
        if len(possible) == 1:
            return CANDIDATES[possible[0]]
        raise ImportFault(_question(file_name, doubtful))

    def _doubtful(self) -> Sequence[tuple[str, str, int]]:
        return [(name, *each.doubtful) for name, each in self._columns.items() if each.doubtful]


def _question(file_name: str, doubtful: Sequence[tuple[str, str, int]]) -> str:
    cells = "\n".join(f"  line {line}: {name} {shown(cell)}" for name, cell, line in doubtful[:3])
    return (
        f"{file_name}: what its numbers mean can't be told from the file:\n{cells}\n"
        "Say the decimal sign: --decimal . reads 1.000 as one and 1,000 as a thousand, --decimal , the other way round."
    )
