"""Rolling sums: the counters of every persona in one window, kept up as events come and as the clock moves on."""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from agents.kpis.windows import Granularity, Window

Ints = NDArray[np.int64]


class PaneRows:
    """Which rows of a counter table are of which pane."""

    def __init__(self) -> None:
        self._rows: dict[Granularity, dict[int, array[int]]] = defaultdict(dict)

    def add(self, granularity: Granularity, pane: int, row: int) -> None:
        self._rows[granularity].setdefault(pane, array("q")).append(row)

    def of(self, granularity: Granularity, panes: Iterable[int]) -> Ints:
        """Return the rows of panes, shape (rows,)."""
        held = self._rows[granularity]
        found = [np.array(held[pane], dtype=np.int64) for pane in panes if pane in held]
        return np.concatenate(found) if found else np.zeros(0, dtype=np.int64)

    def before(self, granularity: Granularity, pane: int) -> Ints:
        """Remove the panes before one and return their rows."""
        held = self._rows[granularity]
        old = [number for number in held if number < pane]
        rows = self.of(granularity, old)
        for number in old:
            del held[number]
        return rows


class RollingSums:
    """Sums of counters by persona over the panes of one window.

    An amount counts while its pane lies in the window. When the clock moves, rows of panes that leave are subtracted
    and rows of panes that enter are added: a step costs what the panes at the edges hold, not what the window holds.
    """

    def __init__(self, window: Window, width: int) -> None:
        self.window = window
        self._width = width
        self._panes = range(0)
        self._sums: Ints = np.zeros((0, width), dtype=np.int64)

    def of(self, personas: Ints) -> Ints:
        """Return a copy of the sums of personas by number, shape (personas, width)."""
        return self._sums[personas]

    def reserve(self, personas: int) -> None:
        """Make room for personas numbered below a bound."""
        if personas > len(self._sums):
            more = np.zeros((max(personas, 2 * len(self._sums)) - len(self._sums), self._width), dtype=np.int64)
            self._sums = np.concatenate((self._sums, more))

    def add(self, personas: Ints, panes: Ints, counters: Ints, amounts: Ints) -> None:
        """Add amounts in panes of the window's granularity; those outside the window don't count. Shapes (n,)."""
        inside = (panes >= self._panes.start) & (panes < self._panes.stop)
        np.add.at(self._sums, (personas[inside], counters[inside]), amounts[inside])

    def move_to(self, now_ms: int, rows: PaneRows, persona_of: Ints, values: Ints) -> Ints:
        """Move the window to end at `now_ms`; return the numbers of the personas whose sums it touched.

        `persona_of` and `values` are by row, shapes (rows,) and (rows, width).
        """
        old, new = self._panes, self.window.panes(now_ms)
        if old == new:
            return np.zeros(0, dtype=np.int64)
        self._panes = new
        granularity = self.window.granularity
        leaving = rows.of(granularity, (pane for pane in old if pane not in new))
        entering = rows.of(granularity, (pane for pane in new if pane not in old))
        np.subtract.at(self._sums, persona_of[leaving], values[leaving])
        np.add.at(self._sums, persona_of[entering], values[entering])
        return np.unique(persona_of[np.concatenate((leaving, entering))])
