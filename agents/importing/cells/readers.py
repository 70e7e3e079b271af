"""Functions that read one cell, a text or a value already, and say what is wrong with it."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache

from agents.importing.cells.identifiers import identifier
from agents.importing.cells.numbers import DISTINCT_COUNTS_KEPT
from agents.importing.cells.typed import Cell, whole_of
from agents.importing.cells.visible_text import is_blank
from schemas.rules import shown

UNSAID = -(2**63)  # in the place of a count that a row does not tell


def post_id_reader(pattern: str | None) -> Callable[[str], str]:
    """Return the reader of ids; a pattern finds the id in a longer text, as its group."""
    inner = re.compile(pattern) if pattern else None

    def read(cell: str) -> str:
        text = identifier(cell)
        if not text:
            raise ValueError("is empty")
        if inner is None:
            return text
        match = inner.search(text)
        if match is None:
            raise ValueError(f"holds no id of the form {pattern}")
        return match[1]

    return read


def count_reader(read: Callable[[str], int], *, signed: bool) -> Callable[[Cell], int]:
    """Return the reader of counts by what reads their texts; it gives UNSAID where nothing is said.

    It raises ValueError where a cell is no whole number, or a negative one that is not to be.
    """

    def read_cell(cell: Cell) -> int:
        if isinstance(cell, str):
            return UNSAID if is_blank(cell) else read(cell)
        if cell is None:
            return UNSAID
        value = whole_of(cell)
        if value < 0 and not signed:
            raise ValueError("is negative")
        return value

    return lru_cache(maxsize=DISTINCT_COUNTS_KEPT, typed=True)(read_cell)  # typed: True is no 1


def says_nothing(cell: Cell) -> bool:
    """Tell whether a cell is null, or blank as a text."""
    return cell is None or (isinstance(cell, str) and is_blank(cell))


def shown_cell(cell: Cell) -> str:
    """Return a cell for a message."""
    return "null" if cell is None else shown(str(cell))
