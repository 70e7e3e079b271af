"""Two KPI states compared cell by cell. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from agents.kpis.counters import COUNTERS
from agents.kpis.persona_counters import PersonaCounters, Place
from agents.kpis.tables.counter_table import Ints
from agents.kpis.windows import PANE_MS, oldest_pane

BY_THE_CLOCK = "late_events"
"""The counter that depends on when a worker came to an event, not on the event alone."""
_NAMES = (*COUNTERS, "first_revenue_ms")


@dataclass(frozen=True, slots=True)
class Difference:
    """A counter that the two states have different values of."""

    place: Place
    counter: str
    live: int
    rebuilt: int

    @property
    def is_by_the_clock(self) -> bool:
        """Tell whether it may differ although both are right: a worker that was behind called other events late."""
        return self.counter == BY_THE_CLOCK

    @property
    def where(self) -> str:
        """Say where it stands, for people."""
        kind, at = self.place.kind, self.place.at
        if isinstance(at, int):
            pane_ms = PANE_MS["minute" if kind == "minute" else "hour"]
            return f"{kind} {datetime.fromtimestamp(at * pane_ms / 1000, UTC):%Y-%m-%d %H:%M}"
        return f"{kind} {at}".strip()


def differences(live: PersonaCounters, rebuilt: PersonaCounters, now_ms: int) -> Iterator[Difference]:
    """Yield the counters that differ, in the order of their places.

    Panes that no window reaches any more at `now_ms` are left out: each state gives them up when it comes to it.
    """
    found, made = _cells(live, now_ms), _cells(rebuilt, now_ms)
    for place in sorted(found.keys() | made.keys(), key=lambda each: (each.persona_id, each.kind, str(each.at))):
        yield from _of_place(place, found.get(place), made.get(place))


def _cells(counters: PersonaCounters, now_ms: int) -> dict[Place, Ints]:
    oldest = {"minute": oldest_pane("minute", now_ms), "hour": oldest_pane("hour", now_ms)}
    return {
        place: values
        for place, values in counters.cells()
        if not isinstance(place.at, int) or place.at >= oldest[place.kind]
    }


def _of_place(place: Place, live: Ints | None, rebuilt: Ints | None) -> Iterator[Difference]:
    width = len(next(each for each in (live, rebuilt) if each is not None))
    nothing = np.zeros(width, dtype=np.int64)
    left, right = (nothing if each is None else each for each in (live, rebuilt))
    for number in np.flatnonzero(left != right).tolist():
        yield Difference(place, _NAMES[number], int(left[number]), int(right[number]))
