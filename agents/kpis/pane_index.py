"""The panes of one persona: which rows of a counter table lie in which window."""

from __future__ import annotations

from array import array

import numpy as np
from numpy.typing import NDArray

from agents.kpis.keys import PaneKey
from agents.kpis.windows import PANE_MS, RETENTION_MS, Granularity, Window

_CODE: dict[Granularity, int] = {"minute": 0, "hour": 1, "lifetime": 2}

Mask = NDArray[np.bool_]


class PaneIndex:
    """Rows with their granularity and pane, as columns."""

    def __init__(self) -> None:
        self._keys: list[str] = []
        self._rows = array("q")
        self._codes = array("b")
        self._panes = array("q")

    def add(self, key: str, pane: PaneKey, row: int) -> None:
        """Add the row of a pane; `key` is its text."""
        self._keys.append(key)
        self._rows.append(row)
        self._codes.append(_CODE[pane.granularity])
        self._panes.append(pane.pane)

    def rows(self) -> NDArray[np.int64]:
        return np.array(self._rows, dtype=np.int64)

    def of(self, granularity: Granularity) -> Mask:
        """Return which rows are of a granularity, shape (rows,)."""
        return np.asarray(np.array(self._codes) == _CODE[granularity], dtype=np.bool_)

    def inside(self, window: Window, now_ms: int) -> Mask:
        """Return which rows lie in a window that ends at `now_ms`, shape (rows,)."""
        inside = self.of(window.granularity)
        if window.granularity != "lifetime":
            panes = np.array(self._panes)
            inside &= (panes >= window.first_pane(now_ms)) & (panes <= window.last_pane(now_ms))
        return inside

    def expire(self, now_ms: int) -> list[str]:
        """Remove the panes that are behind their retention and return their keys."""
        panes = np.array(self._panes)
        gone = np.zeros(len(panes), dtype=np.bool_)
        for granularity, pane_ms in PANE_MS.items():
            gone |= self.of(granularity) & (panes < (now_ms - RETENTION_MS[granularity]) // pane_ms)
        if not gone.any():
            return []
        expired = [key for key, is_gone in zip(self._keys, gone.tolist(), strict=True) if is_gone]
        kept = np.flatnonzero(~gone)
        self._keys = [self._keys[position] for position in kept.tolist()]
        self._rows = array("q", np.array(self._rows)[kept].tolist())
        self._codes = array("b", np.array(self._codes)[kept].tolist())
        self._panes = array("q", panes[kept].tolist())
        return expired
