"""Cells that are values already, of sources whose columns have types: taken as they are, or refused in words."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime
from decimal import Decimal
from math import isfinite
from typing import Any
from uuid import UUID

Cell = str | int | float | Decimal | bool | datetime | date | None
"""What stands in a column of a row: a text, or the value itself where the source says of what type it is."""
MAX_COUNT = 2**63 - 1
EXACT_FLOATS = 2**53  # below, every whole number has a float of its own


def text_of(cell: object) -> str:
    """Return a cell as text: as a CSV export of it would be, null as "".

    Raises:
        ValueError: it is of a type that has no text of its own.
    """
    if isinstance(cell, str):
        return cell
    write = _TEXTS.get(type(cell))
    if write is None:
        raise ValueError(f"is of type {type(cell).__name__}, which can't be imported")
    return write(cell)


def _decoded(cell: bytes) -> str:
    try:
        return cell.decode()
    except UnicodeDecodeError:
        raise ValueError("is bytes that are no UTF-8 text") from None


def _exact(cell: float) -> str:
    return str(int(cell)) if cell.is_integer() and abs(cell) < EXACT_FLOATS else repr(cell)


_TEXTS: Mapping[type, Callable[[Any], str]] = {
    type(None): lambda _: "",
    bool: lambda cell: "true" if cell else "false",
    int: str,
    UUID: str,
    float: _exact,
    Decimal: lambda cell: f"{cell:f}",
    datetime: datetime.isoformat,
    date: date.isoformat,
    bytes: _decoded,
}


def whole_of(cell: Cell) -> int:
    """Return a cell that is no text as a whole number.

    Raises:
        ValueError: it is no number, or has a fraction, or is too large for 64 bits.
    """
    if isinstance(cell, bool) or not isinstance(cell, int | float | Decimal):
        raise ValueError(f"is no number but of type {type(cell).__name__}")  # noqa: TRY004 - of data, as all others
    if not isinstance(cell, int) and not isfinite(cell):
        raise ValueError("is no number")
    whole = int(cell)
    if cell != whole or abs(whole) > MAX_COUNT:
        raise ValueError("is not a whole number of 64 bits")
    return whole
