"""Text as it is seen, without marks and stray white space, and the fault of a file that can't be imported as it is."""

from __future__ import annotations

import unicodedata
from collections.abc import Collection

from streams.errors import ThreadsError

_INVISIBLE = dict.fromkeys(
    [0xAD, 0x34F, 0x61C, 0x180E, *range(0x200B, 0x2010), *range(0x202A, 0x202F), *range(0x2060, 0x2070), 0xFEFF]
)
_BLANKS = frozenset({"", "-", "--", "---", "\N{EN DASH}", "\N{EM DASH}", "n/a", "#n/a", "na", "null", "none"})
_SUMS = frozenset(
    {"total", "totals", "grand total", "sum", "gesamt", "summe", "gesamtsumme", "suma", "somme", "totale", "totaal"}
    | {"итого", "разом", "всього", "razem", "合计", "合計", "総計"}
)
_SUM_INITIALS = frozenset(word[0] for word in _SUMS)


def visible(cell: str) -> str:
    """Return a cell without what can't be seen in it: ids, numbers and times, not texts, whose emoji need joiners."""
    return cell.strip() if cell.isascii() else cell.translate(_INVISIBLE).strip()


def heading(cell: str) -> str:
    """Return a header's name as people would type it: visible, composed (NFC), one space between words."""
    return " ".join(unicodedata.normalize("NFC", visible(cell)).split())


def is_blank(cell: str) -> bool:
    """Tell whether a cell says nothing: empty, a dash, N/A or null."""
    return not cell[:1].isdigit() and visible(cell).lower() in _BLANKS


def is_sum(cell: str) -> bool:
    """Tell whether a cell that should identify a row says that the row sums up others."""
    first = cell[:1]
    may_be = not first.isdigit() and (not first.isascii() or first.isspace() or first.casefold() in _SUM_INITIALS)
    return may_be and visible(cell).casefold() in _SUMS


def all_blank(cells: Collection[str]) -> bool:
    """Tell whether nothing at all stands in a row."""
    return not any(map(visible, cells))


class ImportFault(ThreadsError):
    """A file can't be imported as it is; the text says where and what to do."""
