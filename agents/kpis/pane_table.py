"""The panes of personas: counters of one granularity, in blocks of consecutive panes."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from agents.kpis.counter_table import Bools, CounterTable, Ints, Rows
from agents.kpis.counters import COUNTERS
from agents.kpis.growth import grown
from agents.kpis.keys import PaneKey
from agents.kpis.persona_numbers import PersonaNumbers
from agents.kpis.windows import PANES_PER_BLOCK, Granularity

_BLOCK_BITS = 32  # blocks since the epoch, to the year 9999, need 29
_BLOCK_MASK = (1 << _BLOCK_BITS) - 1


class PaneTable:
    """Counters by persona and pane of one granularity.

    A row of the table is a block: `PANES_PER_BLOCK` consecutive panes of a persona, one state value. Rows are stamped
    with the offset of the last partial added to them, and skip partials at or below it: after a crash some rows are
    ahead of the committed offset.
    """

    def __init__(self, granularity: Granularity, personas: PersonaNumbers) -> None:
        self.granularity = granularity
        self._panes = PANES_PER_BLOCK[granularity]
        self._personas = personas
        self._table = CounterTable[int](self._panes * len(COUNTERS))  # by persona number and block
        self._persona: Ints = np.zeros(0, dtype=np.int64)  # by row
        self._rows_of: dict[int, array[int]] = {}  # by block

    def add(self, personas: Ints, panes: Ints, counters: Ints, amounts: Ints, offset: int) -> Bools:
        """Add what the partial at `offset` counts; return which amounts were not in yet. Shapes all (n,)."""
        blocks, within = np.divmod(panes, self._panes)
        keys, places = np.unique((personas << _BLOCK_BITS) | blocks, return_inverse=True)
        rows, new = self._table.rows(keys.tolist())
        self._enter(keys[new], rows[new])
        open_: Bools = (self._table.stamps(rows) < offset)[places]
        cells = within * len(COUNTERS) + counters
        self._table.add(rows[places[open_]], cells[open_], amounts[open_])
        self._table.stamp(rows, offset)
        return open_

    def _enter(self, keys: Ints, rows: Rows) -> None:
        self._persona = grown(self._persona, len(self._table.values))
        self._persona[rows] = keys >> _BLOCK_BITS
        for block, row in zip((keys & _BLOCK_MASK).tolist(), rows.tolist(), strict=True):
            self._rows_of.setdefault(block, array("q")).append(row)

    def of_panes(self, panes: Iterable[int]) -> Iterator[tuple[Ints, Ints]]:
        """Yield the personas that have a pane and its counters, shapes (n,) and (n, counters), of panes that exist."""
        for pane in panes:
            block, within = divmod(pane, self._panes)
            if block in self._rows_of:
                rows = np.array(self._rows_of[block], dtype=np.int64)
                first = within * len(COUNTERS)
                yield self._persona[rows], self._table.values[rows, first : first + len(COUNTERS)]

    def items(self) -> Iterator[tuple[str, int, Ints]]:
        """Yield persona, pane and counters of every pane that counts anything."""
        for key, row in self._table.items():
            persona, block = self._personas.name(key >> _BLOCK_BITS), key & _BLOCK_MASK
            counters = row.reshape(self._panes, len(COUNTERS))
            for within in np.flatnonzero(counters.any(axis=1)).tolist():
                yield persona, block * self._panes + within, counters[within]

    def take_changed(self) -> Iterator[tuple[str, bytes]]:
        """Yield the state key and the value of each block that changed since the last call."""
        keys, encoded = self._table.take_changed()
        return zip(map(self._text, keys), encoded, strict=True)

    def _text(self, key: int) -> str:
        return PaneKey(key & _BLOCK_MASK, self._personas.name(key >> _BLOCK_BITS)).text()

    def load(self, items: Sequence[tuple[str, bytes]]) -> None:
        """Take over restored blocks."""
        if not items:
            return
        parsed = [PaneKey.parse(text) for text, _ in items]
        blocks = np.array([key.block for key in parsed], dtype=np.int64)
        keys = (self._personas.of(key.persona_id for key in parsed) << _BLOCK_BITS) | blocks
        self._enter(keys, self._table.load(keys.tolist(), [value for _, value in items]))

    def expire(self, pane: int) -> list[str]:
        """Delete the blocks that lie wholly before a pane and return their state keys."""
        expired: list[str] = []
        for block in [block for block in self._rows_of if (block + 1) * self._panes <= pane]:
            rows = np.array(self._rows_of.pop(block), dtype=np.int64)
            expired += map(self._text, self._table.keys_of(rows))
            self._table.delete(rows)
        return expired
