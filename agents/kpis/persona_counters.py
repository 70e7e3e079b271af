"""The counters of personas, merged over all source partitions, and their windows. Pure; the clock is the caller's."""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from agents.kpis.counter_table import CounterTable, Rows
from agents.kpis.counters import COUNTERS, ENGAGEMENTS, NUMBER, POST_COUNTERS
from agents.kpis.formulas import are_viral
from agents.kpis.keys import PaneKey, PostKey
from agents.kpis.pane_index import PaneIndex
from agents.kpis.partials import Added
from agents.kpis.source_counts import FIRST_REVENUE
from agents.kpis.windows import WINDOWS, Window

_ENGAGEMENT_COLUMNS = [NUMBER[name] for name in ENGAGEMENTS]
_VIEWS = NUMBER["views"]


@dataclass(frozen=True, slots=True)
class WindowCounts:
    """Counters of one persona and window, shape (len(COUNTERS),), in the order of COUNTERS."""

    window: Window
    counts: NDArray[np.int64]
    first_revenue_ms: int | None
    viral_posts: int | None


class PersonaCounters:
    """Counters by (persona, pane) and by (persona, post).

    Partials are added in the order of their offsets. A row is stamped with the offset of the last partial added to it,
    and skips partials at or below its stamp: after a crash some rows are ahead of the committed offset.
    """

    def __init__(self) -> None:
        self.panes = CounterTable(len(COUNTERS) + 1)
        self.posts = CounterTable(len(POST_COUNTERS))
        self._panes_of: dict[str, PaneIndex] = defaultdict(PaneIndex)
        self._posts_of: dict[str, array[int]] = defaultdict(lambda: array("q"))

    def personas(self) -> list[str]:
        return list(self._panes_of)

    def load(self, panes: Sequence[tuple[str, bytes]], posts: Sequence[tuple[str, bytes]]) -> None:
        """Take over restored rows."""
        for (key, _), row in zip(panes, self.panes.load(panes).tolist(), strict=True):
            self._index_pane(key, row)
        for (key, _), row in zip(posts, self.posts.load(posts).tolist(), strict=True):
            self._index_post(key, row)

    def add_panes(self, added: Added, offset: int) -> None:
        """Add what the partial at `offset` counts by pane."""
        rows, new = self.panes.rows(added.keys)
        for position in new:
            self._index_pane(added.keys[position], int(rows[position]))
        entries = _unapplied(self.panes, rows, added, offset)
        sums = entries.counter != FIRST_REVENUE
        self.panes.add(rows[entries.key[sums]], entries.counter[sums], entries.amount[sums])
        self.panes.lower(rows[entries.key[~sums]], FIRST_REVENUE, entries.amount[~sums])
        self.panes.stamp(rows, offset)

    def add_posts(self, added: Added, offset: int) -> None:
        """Add what the partial at `offset` counts by post."""
        rows, new = self.posts.rows(added.keys)
        for position in new:
            self._index_post(added.keys[position], int(rows[position]))
        entries = _unapplied(self.posts, rows, added, offset)
        self.posts.add(rows[entries.key], entries.counter, entries.amount)
        self.posts.stamp(rows, offset)

    def _index_pane(self, key: str, row: int) -> None:
        pane = PaneKey.parse(key)
        self._panes_of[pane.persona_id].add(key, pane, row)

    def _index_post(self, key: str, row: int) -> None:
        self._posts_of[PostKey.parse(key).persona_id].append(row)

    def windows(self, persona_id: str, now_ms: int) -> list[WindowCounts]:
        """Return the counts of every window of a persona, as they are at `now_ms`."""
        index = self._panes_of[persona_id]
        values = self.panes.counters(index.rows())
        first = int(values[index.of("lifetime"), FIRST_REVENUE].max(initial=0)) or None
        result = []
        for window in WINDOWS:
            counts = values[index.inside(window, now_ms), : len(COUNTERS)].sum(axis=0)
            viral = self.viral_posts(persona_id) if window.granularity == "lifetime" else None
            result.append(WindowCounts(window, counts, first, viral))
        return result

    def viral_posts(self, persona_id: str) -> int:
        """Return how many posts of a persona are viral."""
        values = self.posts.counters(np.array(self._posts_of.get(persona_id, ()), dtype=np.int64))
        return int(are_viral(values[:, _ENGAGEMENT_COLUMNS].sum(axis=1), values[:, _VIEWS]).sum())

    def expire(self, now_ms: int) -> list[str]:
        """Delete panes that no window needs any more and return their keys."""
        expired = [key for index in self._panes_of.values() for key in index.expire(now_ms)]
        self.panes.delete(expired)
        return expired


def _unapplied(table: CounterTable, rows: Rows, added: Added, offset: int) -> Added:
    open_ = (table.stamps(rows) < offset)[added.key]
    if open_.all():
        return added
    return Added(added.keys, added.key[open_], added.counter[open_], added.amount[open_])
