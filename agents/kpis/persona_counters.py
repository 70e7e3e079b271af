"""The counters of personas, merged over all source partitions, and their windows. Pure; the clock is the caller's."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from agents.kpis.counter_table import CounterTable, Rows
from agents.kpis.counters import COUNTERS, ENGAGEMENTS, NUMBER, POST_COUNTERS
from agents.kpis.formulas import are_viral
from agents.kpis.keys import PaneKey, PostKey
from agents.kpis.partials import Added
from agents.kpis.rolling_sums import PaneRows, RollingSums
from agents.kpis.source_counts import FIRST_REVENUE
from agents.kpis.windows import PANE_MS, RETENTION_MS, WINDOWS, Granularity, Window

Ints = NDArray[np.int64]
Scalar = TypeVar("Scalar", bound=np.generic)

_ENGAGEMENT_COLUMNS = [NUMBER[name] for name in ENGAGEMENTS]
_VIEWS = NUMBER["views"]
_CODE: dict[Granularity, int] = {"minute": 0, "hour": 1, "lifetime": 2}


@dataclass(frozen=True, slots=True)
class WindowCounts:
    """Counters of one persona and window, in the order of COUNTERS."""

    persona_id: str
    window: Window
    counts: tuple[int, ...]
    first_revenue_ms: int | None
    recurring_micros: int
    viral_posts: int | None


class PersonaCounters:
    """Counters by (persona, pane) and by (persona, post), and the sums of every window.

    Partials are added in the order of their offsets. A row is stamped with the offset of the last partial added to it,
    and skips partials at or below its stamp: after a crash some rows are ahead of the committed offset.
    """

    def __init__(self) -> None:
        self.panes = CounterTable(len(COUNTERS) + 1)
        self.posts = CounterTable(len(POST_COUNTERS))
        self._number: dict[str, int] = {}  # of each persona
        self._lifetime_row: dict[int, int] = {}  # by number of the persona
        self._label = np.zeros((0, 3), dtype=np.int64)  # by row of panes: persona, granularity code, pane
        self._key: dict[int, str] = {}  # by row of panes
        self._rows = PaneRows()
        self._sums = [RollingSums(window, len(COUNTERS)) for window in WINDOWS]
        self._persona_of_post = np.zeros(0, dtype=np.int64)  # by row of posts
        self._is_viral = np.zeros(0, dtype=np.bool_)
        self._viral_posts = np.zeros(0, dtype=np.int64)  # by persona
        self._changed: set[int] = set()

    def load(self, panes: Sequence[tuple[str, bytes]], posts: Sequence[tuple[str, bytes]]) -> None:
        """Take over restored rows."""
        pane_rows, post_rows = self.panes.load(panes), self.posts.load(posts)
        self._label_panes((key for key, _ in panes), pane_rows)
        self._label_posts((key for key, _ in posts), post_rows)
        self._count_viral(post_rows)
        self._changed.update(range(len(self._number)))

    def add(self, panes: Added, posts: Added, offset: int) -> None:
        """Add what the partial at `offset` counts."""
        self._add_panes(panes, offset)
        self._add_posts(posts, offset)

    def _add_panes(self, added: Added, offset: int) -> None:
        rows, new = self.panes.rows(added.keys)
        self._label_panes((added.keys[position] for position in new), rows[new])
        entries = _unapplied(self.panes, rows, added, offset)
        sums = entries.counter != FIRST_REVENUE
        row, counter, amount = rows[entries.key[sums]], entries.counter[sums], entries.amount[sums]
        self.panes.add(row, counter, amount)
        self.panes.lower(rows[entries.key[~sums]], FIRST_REVENUE, entries.amount[~sums])
        self.panes.stamp(rows, offset)
        persona, code, pane = self._label[row].T
        for window in self._sums:
            of = code == _CODE[window.window.granularity]
            window.add(persona[of], pane[of], counter[of], amount[of])
        self._changed.update(np.unique(persona).tolist())

    def _add_posts(self, added: Added, offset: int) -> None:
        rows, new = self.posts.rows(added.keys)
        self._label_posts((added.keys[position] for position in new), rows[new])
        entries = _unapplied(self.posts, rows, added, offset)
        self.posts.add(rows[entries.key], entries.counter, entries.amount)
        self.posts.stamp(rows, offset)
        self._count_viral(rows)

    def _count_viral(self, rows: Rows) -> None:
        values = self.posts.counters(rows)
        viral = are_viral(values[:, _ENGAGEMENT_COLUMNS].sum(axis=1), values[:, _VIEWS])
        difference = viral.astype(np.int64) - self._is_viral[rows]
        np.add.at(self._viral_posts, self._persona_of_post[rows], difference)
        self._is_viral[rows] = viral

    def _label_panes(self, keys: Iterable[str], rows: Rows) -> None:
        self._label = _grown(self._label, self.panes.capacity)
        for key, row in zip(keys, rows.tolist(), strict=True):
            pane = PaneKey.parse(key)
            number = self._number_of(pane.persona_id)
            self._label[row] = number, _CODE[pane.granularity], pane.pane
            self._key[row] = key
            self._rows.add(pane.granularity, pane.pane, row)
            if pane.granularity == "lifetime":
                self._lifetime_row[number] = row
        self._reserve()

    def _label_posts(self, keys: Iterable[str], rows: Rows) -> None:
        self._persona_of_post = _grown(self._persona_of_post, self.posts.capacity)
        self._is_viral = _grown(self._is_viral, self.posts.capacity)
        for key, row in zip(keys, rows.tolist(), strict=True):
            self._persona_of_post[row] = self._number_of(PostKey.parse(key).persona_id)
        self._reserve()

    def _number_of(self, persona_id: str) -> int:
        return self._number.setdefault(persona_id, len(self._number))

    def _reserve(self) -> None:
        for window in self._sums:
            window.reserve(len(self._number))
        self._viral_posts = _grown(self._viral_posts, len(self._number))

    def move_to(self, now_ms: int) -> None:
        """Move all windows to end at `now_ms`."""
        values = self.panes.all_counters()[:, : len(COUNTERS)]
        for window in self._sums:
            touched = window.move_to(now_ms, self._rows, self._label[:, 0], values)
            self._changed.update(touched.tolist())

    def changed(self) -> bool:
        """Tell whether a persona's counts may have changed since the last `take_changed`."""
        return bool(self._changed)

    def take_changed(self) -> Iterator[WindowCounts]:
        """Yield every window of the personas whose counts may have changed, as they were at the last `move_to`."""
        names = list(self._number)
        personas = np.array(sorted(self._changed), dtype=np.int64)
        self._changed.clear()
        lifetime = self._lifetime(personas)
        viral = self._viral_posts[personas].tolist()
        for window in self._sums:
            for place, counts in enumerate(window.of(personas).tolist()):
                first_revenue, recurring = lifetime[place]
                is_lifetime = window.window.granularity == "lifetime"
                yield WindowCounts(
                    persona_id=names[personas[place]],
                    window=window.window,
                    counts=tuple(counts),
                    first_revenue_ms=first_revenue or None,
                    recurring_micros=recurring,
                    viral_posts=viral[place] if is_lifetime else None,
                )

    def _lifetime(self, personas: Ints) -> list[list[int]]:
        rows = np.array([self._lifetime_row.get(number, -1) for number in personas.tolist()], dtype=np.int64)
        found = self.panes.counters(rows)[:, [FIRST_REVENUE, NUMBER["recurring_revenue_micros"]]]
        found[rows < 0] = 0
        values: list[list[int]] = found.tolist()
        return values

    def expire(self, now_ms: int) -> list[str]:
        """Delete panes that no window needs any more and return their keys."""
        expired = []
        for granularity, pane_ms in PANE_MS.items():
            rows = self._rows.before(granularity, (now_ms - RETENTION_MS[granularity]) // pane_ms)
            expired += [self._key.pop(row) for row in rows.tolist()]
        self.panes.delete(expired)
        return expired


def _unapplied(table: CounterTable, rows: Rows, added: Added, offset: int) -> Added:
    open_ = (table.stamps(rows) < offset)[added.key]
    if open_.all():
        return added
    return Added(added.keys, added.key[open_], added.counter[open_], added.amount[open_])


def _grown(values: NDArray[Scalar], length: int) -> NDArray[Scalar]:
    if length <= len(values):
        return values
    more = np.zeros((max(length, 2 * len(values)) - len(values), *values.shape[1:]), dtype=values.dtype)
    return np.concatenate((values, more))
