"""Text as it is seen: without byte order marks, soft hyphens, zero-width characters and stray white space."""

from __future__ import annotations

import unicodedata
from collections.abc import Collection

_INVISIBLE = dict.fromkeys(
    [0xAD, 0x34F, 0x61C, 0x180E, *range(0x200B, 0x2010), *range(0x202A, 0x202F), *range(0x2060, 0x2070), 0xFEFF]
)
_BLANKS = frozenset({"", "-", "--", "---", "\N{EN DASH}", "\N{EM DASH}", "n/a", "#n/a", "na", "null", "none"})
_SUMS = frozenset(
    {"total", "totals", "grand total", "sum", "gesamt", "summe", "gesamtsumme", "suma", "somme", "totale", "totaal"}
    | {"итого", "разом", "всього", "razem", "合计", "合計", "総計"}
)


def visible(cell: str) -> str:
    """Return a cell without what can't be seen in it: ids, numbers and times, not texts, whose emoji need joiners."""
    return cell.strip() if cell.isascii() else cell.translate(_INVISIBLE).strip()


def heading(cell: str) -> str:
    """Return a header's name as people would type it: visible, composed (NFC), one space between words."""
    return " ".join(unicodedata.normalize("NFC", visible(cell)).split())


def is_blank(cell: str) -> bool:
    """Tell whether a cell says nothing: empty, a dash, N/A or null."""
    return visible(cell).lower() in _BLANKS


def is_sum(cell: str) -> bool:
    """Tell whether a cell that should identify a row says that the row sums up others."""
    return visible(cell).casefold() in _SUMS


def all_blank(cells: Collection[str]) -> bool:
    """Tell whether nothing at all stands in a row."""
    return not any(map(visible, cells))
