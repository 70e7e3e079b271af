"""The counters of posts, and how many posts of each persona are viral."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from agents.kpis.counters import NUMBER
from agents.kpis.formulas import are_viral
from agents.kpis.persona_numbers import PersonaNumbers
from agents.kpis.tables.counter_table import Bools, CounterTable, Ints, Rows, grown
from agents.kpis.tables.keys import PostKey
from schemas.engagement import ENGAGING_COUNTERS, POST_COUNTERS

_ENGAGEMENT_COLUMNS = [NUMBER[name] for name in ENGAGING_COUNTERS]
_VIEWS = NUMBER["views"]


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
