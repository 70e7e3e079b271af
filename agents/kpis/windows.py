"""Panes and rolling windows on event time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS

Granularity = Literal["minute", "hour", "lifetime"]

GRANULARITIES: tuple[Granularity, ...] = ("minute", "hour", "lifetime")

PANE_MS: dict[Granularity, int] = {"minute": MINUTE_MS, "hour": HOUR_MS}

PANES_PER_BLOCK: dict[Granularity, int] = {"minute": 10, "hour": 6}
"""How many panes of a persona are one state value: fewer values to write than panes, each still small."""

RETENTION_MS: dict[Granularity, int] = {"minute": DAY_MS + 2 * HOUR_MS, "hour": 31 * DAY_MS}
"""How long panes are kept behind the clock: their longest window, and a margin for clocks that step back."""


@dataclass(frozen=True, slots=True)
class Window:
    """A rolling window as a sum of panes; `length_ms` 0 and granularity lifetime for everything there ever was."""

    name: str
    granularity: Granularity
    length_ms: int

    def panes(self, now_ms: int) -> range:
        """Return the numbers of the panes in the window that ends at `now_ms`, the current pane being its last."""
        if self.granularity == "lifetime":
            return range(1)
        pane_ms = PANE_MS[self.granularity]
        behind = now_ms // pane_ms + 1
        return range(behind - self.length_ms // pane_ms, behind)

    def start_ms(self, now_ms: int) -> int | None:
        """Return the first instant of the window, None for the lifetime."""
        return None if self.granularity == "lifetime" else self.panes(now_ms).start * PANE_MS[self.granularity]


WINDOWS: tuple[Window, ...] = (
    Window("1h", "minute", HOUR_MS),
    Window("24h", "minute", DAY_MS),
    Window("7d", "hour", 7 * DAY_MS),
    Window("30d", "hour", 30 * DAY_MS),
    Window("lifetime", "lifetime", 0),
)


def oldest_pane(granularity: Granularity, now_ms: int) -> int:
    """Return the number of the oldest pane that lies in a window made of such panes and ending at `now_ms`."""
    return min(window.panes(now_ms).start for window in WINDOWS if window.granularity == granularity)


def oldest_kept_pane(granularity: Granularity, now_ms: int) -> int:
    """Return the number of the oldest pane that is kept: the margin of RETENTION_MS behind the oldest of a window."""
    return (now_ms - RETENTION_MS[granularity]) // PANE_MS[granularity]
