"""The tables of personas: panes by granularity, lifetime totals, posts and how many of them are viral."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from agents.kpis.counters import COUNTERS, FIRST_REVENUE, NUMBER
from agents.kpis.formulas import are_viral
from agents.kpis.tables.counter_table import (
    NO_ROW,
    Bools,
    CounterTable,
    Entries,
    Ints,
    PaneKey,
    PersonaNumbers,
    PostKey,
    Rows,
    decode_rows,
    encode_rows,
    entries_of,
    grown,
)
from agents.kpis.windows import PANES_PER_BLOCK, Granularity
from schemas.engagement import ENGAGING_COUNTERS, POST_COUNTERS

_PANE_BITS = 32  # panes since the epoch, to the year 9999, need as many
_PANE_MASK = (1 << _PANE_BITS) - 1
_NONE: Rows = np.zeros(0, dtype=np.int64)
_ENGAGEMENT_COLUMNS = [NUMBER[name] for name in ENGAGING_COUNTERS]
_VIEWS = NUMBER["views"]


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

    def items(self) -> Iterator[tuple[str, Ints]]:
        """Yield persona and counters, as `of` gives them, of every row."""
        for number, counters in self._table.items():
            yield self._personas.name(number), counters

    def take_changed(self) -> Iterator[tuple[str, bytes]]:
        """Yield the state key and the value of each row that changed since the last call."""
        rows = self._table.take_changed()
        return zip(map(self._personas.name, self._table.keys_of(rows)), self._table.encoded(rows), strict=True)

    def load(self, items: Sequence[tuple[str, bytes]]) -> None:
        """Take over restored rows."""
        keys = self._personas.of(persona for persona, _ in items)
        self._table.load(keys.tolist(), [value for _, value in items])


class PostTable:
    """Counters by persona and post over their lifetime; rows are stamped as those of panes are."""

    def __init__(self, personas: PersonaNumbers) -> None:
        self._personas = personas
        self._table = CounterTable[str](len(POST_COUNTERS))  # by text of PostKey
        self._persona: Ints = np.zeros(0, dtype=np.int64)  # by row
        self._is_viral: Bools = np.zeros(0, dtype=np.bool_)  # by row
        self._viral: Ints = np.zeros(0, dtype=np.int64)  # by persona

    def add(self, keys: Sequence[str], places: Ints, counters: Ints, amounts: Ints, offset: int) -> None:
        """Add what the partial at `offset` counts: amounts of the post `keys[place]`. Shapes all (n,)."""
        rows, new = self._table.rows(keys)
        self._enter([keys[position] for position in new.tolist()], rows[new])
        open_: Bools = (self._table.stamps(rows) < offset)[places]
        self._table.add(rows[places[open_]], counters[open_], amounts[open_])
        self._table.stamp(rows, offset)
        self._judge(rows)

    def _enter(self, keys: Sequence[str], rows: Rows) -> None:
        capacity = len(self._table.values)
        self._persona, self._is_viral = grown(self._persona, capacity), grown(self._is_viral, capacity)
        self._persona[rows] = self._personas.of(PostKey.parse(key).persona_id for key in keys)
        self._viral = grown(self._viral, len(self._personas))

    def _judge(self, rows: Rows) -> None:
        values = self._table.values[rows]
        viral = are_viral(values[:, _ENGAGEMENT_COLUMNS].sum(axis=1), values[:, _VIEWS])
        moved = viral != self._is_viral[rows]
        turned = rows[moved]
        np.add.at(self._viral, self._persona[turned], np.where(viral[moved], 1, -1))
        self._is_viral[turned] = viral[moved]

    def viral(self, personas: Ints) -> Ints:
        """Return how many posts of personas are viral, shape (personas,)."""
        self._viral = grown(self._viral, len(self._personas))
        return self._viral[personas]

    def items(self) -> Iterator[tuple[str, str, Ints]]:
        """Yield persona, post and counters of every post."""
        for text, counters in self._table.items():
            yield *PostKey.parse(text), counters

    def take_changed(self) -> Iterator[tuple[str, bytes]]:
        """Yield the state key and the value of each row that changed since the last call."""
        rows = self._table.take_changed()
        return zip(self._table.keys_of(rows), self._table.encoded(rows), strict=True)

    def load(self, items: Sequence[tuple[str, bytes]]) -> None:
        """Take over restored rows."""
        keys = [text for text, _ in items]
        rows = self._table.load(keys, [value for _, value in items])
        self._enter(keys, rows)
        self._judge(rows)
