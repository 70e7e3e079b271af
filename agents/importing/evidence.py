"""What all rows of a source say together: how its numbers are written, and whether its ids were rounded."""

from __future__ import annotations

from collections.abc import Sequence

from agents.importing.cells.identifiers import EXACT_DIGITS, RoundedIds
from agents.importing.cells.numbers import NumberEvidence, NumberFormat
from agents.importing.cells.typed import Cell
from agents.importing.cells.visible_text import visible
from agents.importing.fields import COUNT_FIELDS, Layout


class Evidence:
    """Sees the texts of a source column by column; values that are no texts need no guess."""

    def __init__(self, layout: Layout) -> None:
        at, self._mapping = layout.positions, layout.mapping
        places = [(name, at[name]) for name in COUNT_FIELDS if name in at]
        self._places = [*places, *((f"{name} (taken off)", place) for name, place in layout.subtracted.items())]
        self._numbers = NumberEvidence(name for name, _ in self._places)
        self._ids = RoundedIds()
        self._id_at = None if self._mapping.trust_ids or self._mapping.post_id_pattern else at.get("post_id")

    def see(self, cells: Sequence[Sequence[Cell]], lines: Sequence[int]) -> None:
        """Take note of a block of rows as columns; `lines` are where they begin."""
        if self._mapping.numbers is None:
            for name, place in self._places:
                self._see_numbers(name, cells[place], lines)
        if self._id_at is not None:
            ids = (cell for cell in set(cells[self._id_at]) if isinstance(cell, str) and len(cell) > EXACT_DIGITS)
            self._ids.see(map(visible, ids))

    def numbers(self, file_name: str) -> NumberFormat:
        """Return how numbers are written, and refuse rounded ids; raises ImportFault."""
        self._ids.check(file_name)
        return self._mapping.numbers or self._numbers.format(file_name)

    def warnings(self, unit: str) -> list[str]:
        """Return what the numbers are not, in sentences."""
        if self._numbers.short is None:
            return []
        cell, line = self._numbers.short
        told = (
            f"Some counts are shortened, such as {cell!r} in {unit} {line}, and so rounded by who wrote the file: they "
            "are taken as they stand. Export exact numbers if you can."
        )
        return [told]

    def _see_numbers(self, name: str, cells: Sequence[Cell], lines: Sequence[int]) -> None:
        """See each distinct text once, at the first line it stands on; of digits alone the longest says all."""
        first = {cell: line for cell, line in zip(reversed(cells), reversed(lines), strict=True) if type(cell) is str}
        together = "".join(first)
        if together.isdecimal() and together.isascii():
            longest = max(first, key=len)
            self._numbers.see(name, longest, first[longest])
            return
        for cell, line in sorted(first.items(), key=lambda item: item[1]):
            self._numbers.see(name, cell, line)
