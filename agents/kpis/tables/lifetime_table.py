"""The lifetime totals of personas, and when each first had revenue."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from agents.kpis.counters import COUNTERS
from agents.kpis.persona_numbers import PersonaNumbers
from agents.kpis.source_counts import FIRST_REVENUE
from agents.kpis.tables.counter_table import NO_ROW, Bools, CounterTable, Ints


class LifetimeTable:
    """Counters by persona over everything there ever was; rows are stamped as those of panes are."""

    def __init__(self, personas: PersonaNumbers) -> None:
        self._personas = personas
        self._table = CounterTable[int](len(COUNTERS) + 1)  # by persona number

    def add(self, personas: Ints, counters: Ints, amounts: Ints, offset: int) -> None:
        """Add what the partial at `offset` counts; FIRST_REVENUE is the least of its amounts. Shapes all (n,)."""
        keys, places = np.unique(personas, return_inverse=True)
        rows, _ = self._table.rows(keys.tolist())
        open_: Bools = (self._table.stamps(rows) < offset)[places]
        least = counters == FIRST_REVENUE
        for chosen, put in ((open_ & ~least, self._table.add), (open_ & least, self._table.lower)):
            put(rows[places[chosen]], counters[chosen], amounts[chosen])
        self._table.stamp(rows, offset)

    def of(self, personas: Ints) -> Ints:
        """Return the counters of personas and, last, the time of their first revenue (ms, 0 where there is none).

        Shape (personas, counters + 1).
        """
        rows = self._table.find(personas.tolist())
        found: Ints = np.where((rows == NO_ROW)[:, np.newaxis], 0, self._table.values[rows])
        return found

    def take_changed(self) -> Iterator[tuple[str, bytes]]:
        """Yield the state key and the value of each row that changed since the last call."""
        rows = self._table.take_changed()
        return zip(map(self._personas.name, self._table.keys_of(rows)), self._table.encoded(rows), strict=True)

    def load(self, items: Sequence[tuple[str, bytes]]) -> None:
        """Take over restored rows."""
        keys = self._personas.of(persona for persona, _ in items)
        self._table.load(keys.tolist(), [value for _, value in items])
