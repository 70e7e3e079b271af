"""Rolling sums: the counters of every persona in one window, kept up as events come and as the clock moves on."""

from __future__ import annotations

import numpy as np

from agents.kpis.counters import COUNTERS
from agents.kpis.tables.counter_table import Ints, grown
from agents.kpis.tables.pane_table import PaneTable
from agents.kpis.windows import Window


class RollingSums:
    """Sums of counters by persona over the panes of one window.

    An amount counts while its pane lies in the window. When the clock moves, panes that leave are subtracted and panes
    that enter are added: a step costs what the panes at the edges hold, not what the window holds.
    """

    def __init__(self, window: Window) -> None:
        self.window = window
        self._panes = range(0)
        self._sums: Ints = np.zeros((0, len(COUNTERS)), dtype=np.int64)  # by persona

    def of(self, personas: Ints) -> Ints:
        """Return a copy of the sums of personas by number, shape (personas, counters)."""
        return self._sums[personas]

    def reserve(self, personas: int) -> None:
        """Make room for personas numbered below a bound."""
        self._sums = grown(self._sums, personas)

    def add(self, personas: Ints, panes: Ints, counters: Ints, amounts: Ints) -> None:
        """Add amounts in panes of the window's granularity; those outside the window don't count. Shapes (n,)."""
        inside = (panes >= self._panes.start) & (panes < self._panes.stop)
        np.add.at(self._sums, (personas[inside], counters[inside]), amounts[inside])

    def move_to(self, now_ms: int, table: PaneTable) -> Ints:
        """Move the window to end at `now_ms`; return the numbers of the personas whose sums it touched."""
        old, new = self._panes, self.window.panes(now_ms)
        if old == new:
            return np.zeros(0, dtype=np.int64)
        self._panes = new
        touched = [np.zeros(0, dtype=np.int64)]
        for personas, counters in table.of_panes(pane for pane in old if pane not in new):
            self._sums[personas] -= counters  # a persona has one row a pane
            touched.append(personas)
        for personas, counters in table.of_panes(pane for pane in new if pane not in old):
            self._sums[personas] += counters
            touched.append(personas)
        return np.unique(np.concatenate(touched))
