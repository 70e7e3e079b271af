"""Ids of posts, and what spreadsheets make of them: refused, for two posts would become one."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from agents.importing.cells.visible_text import ImportFault, visible
from schemas.rules import shown

EXACT_DIGITS = 15  # a spreadsheet keeps so many digits of a number, and writes zeros for the others

# With a fraction or a sign, as every program writes them; hexadecimal ids such as 514e21 have neither.
_SCIENTIFIC = re.compile(r"[+-]?\d(?:[.,]\d+[eE][+-]?|[eE][+-])\d{1,3}", re.ASCII)
_FLOAT = re.compile(r"\d{16,}[.,]0+", re.ASCII)
_FORMULA = re.compile(r'="(.*)"')


def identifier(cell: str) -> str:
    """Return the id in a cell, out of a formula `="123"` that keeps spreadsheets from rounding it.

    Raises:
        ValueError: a spreadsheet or a program has rounded it.
    """
    text = visible(cell)
    if text[:1].isalpha() or text.isdecimal():  # as most are
        return text
    formula = _FORMULA.fullmatch(text)
    text = formula[1] if formula else text
    if _SCIENTIFIC.fullmatch(text) or _FLOAT.fullmatch(text):
        raise ValueError(
            "is a rounded number: a spreadsheet changed the ids; import the file as it was exported, unopened"
        )
    return text


@dataclass(slots=True)
class RoundedIds:
    """Whether all long ids of a file end in zeros behind their 15th digit, as a spreadsheet leaves them."""

    long: int = 0
    rounded: int = 0
    example: str = ""

    def see(self, ids: Iterable[str]) -> None:
        """Take note of ids."""
        for text in ids:
            if len(text) > EXACT_DIGITS and text.isdecimal():
                self.long += 1
                if not text[EXACT_DIGITS:].strip("0"):
                    self.rounded += 1
                    self.example = text

    def check(self, file_name: str) -> None:
        """Refuse a file whose long ids are all rounded.

        Raises:
            ImportFault: they are; the text says what to do.
        """
        if self.rounded and self.rounded == self.long:
            raise ImportFault(
                f"{file_name}: every long id ends in zeros behind its {EXACT_DIGITS}th digit, e.g. "
                f"{shown(self.example)}: a spreadsheet has rounded them, and posts would become one. Import the file "
                "as it was exported, unopened; if these ids are right, add --trust-ids."
            )
