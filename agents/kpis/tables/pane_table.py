"""The panes of personas: counters of one granularity, kept in memory by pane and as state by blocks of panes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from agents.kpis.counters import COUNTERS
from agents.kpis.persona_numbers import PersonaNumbers
from agents.kpis.tables.counter_table import NO_ROW, Bools, CounterTable, Ints, Rows, grown
from agents.kpis.tables.encoded_rows import Entries, decode_rows, encode_rows, entries_of
from agents.kpis.tables.keys import PaneKey
from agents.kpis.windows import PANES_PER_BLOCK, Granularity

_PANE_BITS = 32  # panes since the epoch, to the year 9999, need as many
_PANE_MASK = (1 << _PANE_BITS) - 1
_NONE: Rows = np.zeros(0, dtype=np.int64)


class PaneTable:
    """Counters by persona and pane of one granularity.

    A state value is a block: `PANES_PER_BLOCK` consecutive panes of a persona, so that there are few values to write.
    It is stamped with the offset of the last partial added to it, and its panes skip partials at or below the stamp:
    after a crash some blocks are ahead of the committed offset.
    """

    def __init__(self, granularity: Granularity, personas: PersonaNumbers) -> None:
        self.granularity = granularity
        self._block_panes = PANES_PER_BLOCK[granularity]
        self._personas = personas
        self._table = CounterTable[int](len(COUNTERS))  # by persona number and pane
        self._persona: Ints = np.zeros(0, dtype=np.int64)  # by row
        self._rows_of: dict[int, list[Rows]] = {}  # by pane

    def add(self, personas: Ints, panes: Ints, counters: Ints, amounts: Ints, offset: int) -> Bools:
        """Add what the partial at `offset` counts; return which amounts were not in yet. Shapes all (n,)."""
        keys, places = np.unique((personas << _PANE_BITS) | panes, return_inverse=True)
        rows = self._rows(keys)
        open_: Bools = (self._table.stamps(rows) < offset)[places]
        self._table.add(rows[places[open_]], counters[open_], amounts[open_])
        self._table.stamp(rows, offset)
        return open_

    def _rows(self, keys: Ints) -> Rows:
        rows, new = self._table.rows(keys.tolist())
        self._persona = grown(self._persona, len(self._table.values))
        self._persona[rows[new]] = keys[new] >> _PANE_BITS
        self._enter(keys[new] & _PANE_MASK, rows[new])
        return rows

    def _enter(self, panes: Ints, rows: Rows) -> None:
        if not len(rows):
            return
        order = np.argsort(panes, kind="stable")
        distinct, firsts = np.unique(panes[order], return_index=True)
        for pane, part in zip(distinct.tolist(), np.split(rows[order], firsts[1:]), strict=True):
            self._rows_of.setdefault(pane, []).append(part)

    def of_panes(self, panes: Iterable[int]) -> Iterator[tuple[Ints, Ints]]:
        """Yield the personas that have a pane and its counters, shapes (n,) and (n, counters), of panes that exist."""
        for pane in panes:
            if pane in self._rows_of:
                rows = np.concatenate(self._rows_of[pane])
                yield self._persona[rows], self._table.values[rows]

    def items(self) -> Iterator[tuple[str, int, Ints]]:
        """Yield persona, pane and counters of every pane."""
        for key, counters in self._table.items():
            yield self._personas.name(key >> _PANE_BITS), key & _PANE_MASK, counters

    def take_changed(self) -> Iterator[tuple[str, bytes]]:
        """Yield the state key and the value of each block that changed since the last call."""
        changed = np.array(self._table.keys_of(self._table.take_changed()), dtype=np.int64)
        blocks = self._blocks_of(changed)
        return zip(map(self._text, blocks.tolist()), self._encoded(blocks), strict=True)

    def _blocks_of(self, keys: Ints) -> Ints:
        """Return the distinct blocks, by persona number and block, that panes lie in."""
        return np.unique((keys & ~_PANE_MASK) | (keys & _PANE_MASK) // self._block_panes)

    def _text(self, block: int) -> str:
        return PaneKey(block & _PANE_MASK, self._personas.name(block >> _PANE_BITS)).text()

    def _encoded(self, blocks: Ints) -> list[bytes]:
        panes = (blocks & _PANE_MASK)[:, np.newaxis] * self._block_panes + np.arange(self._block_panes)
        found = self._table.find(((blocks & ~_PANE_MASK)[:, np.newaxis] | panes).ravel().tolist())
        at = np.flatnonzero(found != NO_ROW)
        block, within = np.divmod(at, self._block_panes)
        rows = found[at]
        stamps = np.maximum.reduceat(self._table.stamps(rows), np.searchsorted(block, np.arange(len(blocks))))
        of_pane = entries_of(self._table.values[rows])
        places = within[of_pane.row] * len(COUNTERS) + of_pane.place
        return encode_rows(stamps, Entries(block[of_pane.row], places, of_pane.amount))

    def load(self, items: Sequence[tuple[str, bytes]]) -> None:
        """Take over restored blocks."""
        parsed = [PaneKey.parse(text) for text, _ in items]
        first = np.array([key.block for key in parsed], dtype=np.int64) * self._block_panes
        personas = self._personas.of(key.persona_id for key in parsed)
        stamps, entries = decode_rows([value for _, value in items])
        within, counters = np.divmod(entries.place, len(COUNTERS))
        keys = (personas[entries.row] << _PANE_BITS) | (first[entries.row] + within)
        unique, at, places = np.unique(keys, return_index=True, return_inverse=True)
        rows = self._rows(unique)
        self._table.put(rows, stamps[entries.row[at]], Entries(rows[places], counters, entries.amount))

    def expire(self, pane: int) -> list[str]:
        """Delete the blocks that lie wholly before a pane and return their state keys."""
        end = pane // self._block_panes * self._block_panes
        old = [number for number in self._rows_of if number < end]
        rows = np.concatenate([_NONE, *(part for number in old for part in self._rows_of.pop(number))])
        keys = np.array(self._table.keys_of(rows), dtype=np.int64)
        self._table.delete(rows)
        return [self._text(block) for block in self._blocks_of(keys).tolist()]
