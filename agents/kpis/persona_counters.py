"""The counters of personas merged over their source partitions, and their windows. Pure; the clock is the caller's."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from agents.kpis.counter_table import CounterTable
from agents.kpis.counters import COUNTERS, ENGAGEMENTS, NUMBER
from agents.kpis.formulas import is_viral
from agents.kpis.keys import PaneKey, PostKey
from agents.kpis.partials import Counted
from agents.kpis.source_counters import FIRST_REVENUE, PERSONA_WIDTH, POST_WIDTH
from agents.kpis.windows import PANE_MS, RETENTION_MS, WINDOWS, Granularity, Window

_ENGAGEMENT_COLUMNS = [NUMBER[name] for name in ENGAGEMENTS]
_CODE: dict[Granularity, int] = {"minute": 0, "hour": 1, "lifetime": 2}


@dataclass(frozen=True, slots=True)
class WindowCounts:
    """Counters of one persona and window, shape (len(COUNTERS),), in the order of COUNTERS."""

    window: Window
    counts: NDArray[np.int64]
    first_revenue_ms: int | None
    viral_posts: int | None


@dataclass(slots=True)
class _PersonaPanes:
    """The pane rows of one persona: key, (row number, granularity code, pane)."""

    of: dict[str, tuple[int, int, int]] = field(default_factory=dict)
    columns: NDArray[np.int64] | None = None  # shape (n, 3), made when asked for

    def add(self, key: str, row: int, pane: PaneKey) -> None:
        self.of[key] = (row, _CODE[pane.granularity], pane.pane)
        self.columns = None

    def remove(self, key: str) -> None:
        self.of.pop(key)
        self.columns = None

    def as_columns(self) -> NDArray[np.int64]:
        if self.columns is None:
            self.columns = np.array(list(self.of.values()), dtype=np.int64).reshape(-1, 3)
        return self.columns

    def expired(self, now_ms: int) -> list[str]:
        """Return the keys of panes behind their retention."""
        columns = self.as_columns()
        gone = np.zeros(len(columns), dtype=np.bool_)
        for granularity, pane_ms in PANE_MS.items():
            oldest = (now_ms - RETENTION_MS[granularity]) // pane_ms
            gone |= (columns[:, 1] == _CODE[granularity]) & (columns[:, 2] < oldest)
        return [key for key, is_gone in zip(self.of, gone.tolist(), strict=True) if is_gone] if gone.any() else []


class PersonaCounters:
    """Absolute counters by (source partition, persona, pane) and (source partition, persona, post).

    A row is replaced by a newer one of the same source and never by an older: partials may come again, in any order.
    Sums over sources are formed when a window is asked for, ratios only from these sums.
    """

    def __init__(self) -> None:
        self.panes = CounterTable(PERSONA_WIDTH)
        self.posts = CounterTable(POST_WIDTH)
        self._panes_of: dict[str, _PersonaPanes] = defaultdict(_PersonaPanes)
        self._posts_of: dict[str, dict[str, PostKey]] = defaultdict(dict)

    def personas(self) -> list[str]:
        return list(self._panes_of)

    def load(self, panes: Sequence[tuple[str, bytes]], posts: Sequence[tuple[str, bytes]]) -> None:
        """Take over restored rows; their keys are those that `merge_panes` and `merge_posts` returned."""
        self.panes.load(panes)
        self.posts.load(posts)
        for key, _ in panes:
            self._index_pane(key, int(self.panes.rows([key])[0]))
        for key, _ in posts:
            self._index_post(key)

    def merge_panes(self, source: str, counted: Counted, stamp: int) -> list[str]:
        """Take rows of a source partition, applied up to offset `stamp`; return the keys of those that are news."""
        keys = [f"{source}|{key}" for key in counted.keys]
        known = {key for key in keys if key in self.panes}
        news = _replace_older(self.panes, keys, counted, stamp)
        for key in keys:
            if key not in known:
                self._index_pane(key, int(self.panes.rows([key])[0]))
        return news

    def merge_posts(self, source: str, counted: Counted, stamp: int) -> list[str]:
        """Take post rows of a source partition; return the keys of those that are news."""
        keys = [f"{source}|{key}" for key in counted.keys]
        for key in keys:
            if key not in self.posts:
                self._index_post(key)
        return _replace_older(self.posts, keys, counted, stamp)

    def _index_pane(self, key: str, row: int) -> None:
        pane = PaneKey.parse(key.split("|", 1)[1])
        self._panes_of[pane.persona_id].add(key, row, pane)

    def _index_post(self, key: str) -> None:
        post = PostKey.parse(key.split("|", 1)[1])
        self._posts_of[post.persona_id][key] = post

    def windows(self, persona_id: str, now_ms: int) -> list[WindowCounts]:
        """Return the counts of every window of a persona, as they are at `now_ms`."""
        columns = self._panes_of[persona_id].as_columns()
        values = self.panes.counters(columns[:, 0])
        first = values[columns[:, 1] == _CODE["lifetime"], FIRST_REVENUE]
        first = first[first > 0]
        first_ms = int(first.min()) if len(first) else None
        result = []
        for window in WINDOWS:
            counts = values[_inside(window, columns, now_ms), : len(COUNTERS)].sum(axis=0)
            viral = self._viral_posts(persona_id) if window.granularity == "lifetime" else None
            result.append(WindowCounts(window, counts, first_ms, viral))
        return result

    def _viral_posts(self, persona_id: str) -> int:
        return sum(is_viral(engagements, views) for engagements, views in self.posts_of(persona_id).values())

    def posts_of(self, persona_id: str) -> Mapping[str, tuple[int, int]]:
        """Return (engagements, views) by post, over all sources."""
        of = self._posts_of.get(persona_id, {})
        values = self.posts.counters(self.posts.rows(of))
        engagements = values[:, _ENGAGEMENT_COLUMNS].sum(axis=1).tolist()
        views = values[:, NUMBER["views"]].tolist()
        totals: dict[str, tuple[int, int]] = {}
        for post, engaged, viewed in zip(of.values(), engagements, views, strict=True):
            before = totals.get(post.post_id, (0, 0))
            totals[post.post_id] = (before[0] + engaged, before[1] + viewed)
        return totals

    def expire(self, now_ms: int) -> list[str]:
        """Delete panes that no window needs any more and return their keys."""
        expired = []
        for panes in self._panes_of.values():
            for key in panes.expired(now_ms):
                panes.remove(key)
                expired.append(key)
        self.panes.delete(expired)
        return expired


def _inside(window: Window, columns: NDArray[np.int64], now_ms: int) -> NDArray[np.bool_]:
    inside = columns[:, 1] == _CODE[window.granularity]
    if window.granularity != "lifetime":
        inside &= (columns[:, 2] >= window.first_pane(now_ms)) & (columns[:, 2] <= window.last_pane(now_ms))
    return np.asarray(inside, dtype=np.bool_)


def _replace_older(table: CounterTable, keys: Sequence[str], counted: Counted, stamp: int) -> list[str]:
    rows = table.rows(keys)
    news = table.stamps(rows) < stamp
    table.replace(rows[news], np.full(int(news.sum()), stamp), counted.counters[news])
    return [key for key, new in zip(keys, news.tolist(), strict=True) if new]
