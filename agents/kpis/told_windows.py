"""What was last told of each window: a window is told again when it has changed."""

from __future__ import annotations

import numpy as np

from agents.kpis.growth import grown
from agents.kpis.tables.counter_table import Bools, Ints


class ToldWindow:
    """The facts last told of each persona in one window."""

    def __init__(self, width: int) -> None:
        self._facts: Ints = np.zeros((0, width), dtype=np.int64)  # by persona number
        self._told: Bools = np.zeros(0, dtype=np.bool_)

    def news(self, personas: Ints, facts: Ints) -> Bools:
        """Return which personas' facts are not those last told, and take them as told; facts (personas, width)."""
        most = int(personas.max(initial=-1)) + 1
        self._facts, self._told = grown(self._facts, most), grown(self._told, most)
        new: Bools = ~self._told[personas] | (self._facts[personas] != facts).any(axis=1)
        self._facts[personas], self._told[personas] = facts, True
        return new
