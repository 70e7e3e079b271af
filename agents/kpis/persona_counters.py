"""The counters of personas over all source partitions, and their windows as rolling sums. Pure; the clock is given."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np

from agents.kpis.counters import COUNTERS, FIRST_REVENUE, NUMBER
from agents.kpis.formulas import MONTH_MS
from agents.kpis.partials import PaneEntries, PostEntries
from agents.kpis.tables.counter_table import Bools, Ints, PaneKey, PersonaNumbers, PostKey, grown
from agents.kpis.tables.persona_tables import LifetimeTable, PaneTable, PostTable
from agents.kpis.windows import GRANULARITIES, HOUR_MS, PANE_MS, RETENTION_MS, WINDOWS, Window


class RollingSums:
    """Sums of counters by persona over the panes of one window.

    An amount counts while its pane lies in the window. When the clock moves, panes that leave are subtracted and panes
    that enter are added: a step costs what the panes at the edges hold, not what the window holds.
    """

    def __init__(self, window: Window) -> None:
        self.window = window
        self._panes = range(0)
        self._sums: Ints = np.zeros((0, len(COUNTERS)), dtype=np.int64)  # by persona

    def of(self, personas: Ints) -> Ints:
        """Return a copy of the sums of personas by number, shape (personas, counters)."""
        return self._sums[personas]

    def reserve(self, personas: int) -> None:
        """Make room for personas numbered below a bound."""
        self._sums = grown(self._sums, personas)

    def add(self, personas: Ints, panes: Ints, counters: Ints, amounts: Ints) -> None:
        """Add amounts in panes of the window's granularity; those outside the window don't count. Shapes (n,)."""
        inside = (panes >= self._panes.start) & (panes < self._panes.stop)
        np.add.at(self._sums, (personas[inside], counters[inside]), amounts[inside])

    def move_to(self, now_ms: int, table: PaneTable) -> Ints:
        """Move the window to end at `now_ms`; return the numbers of the personas whose sums it touched."""
        old, new = self._panes, self.window.panes(now_ms)
        if old == new:
            return np.zeros(0, dtype=np.int64)
        self._panes = new
        touched = [np.zeros(0, dtype=np.int64)]
        for personas, counters in table.of_panes(pane for pane in old if pane not in new):
            self._sums[personas] -= counters  # a persona has one row a pane
            touched.append(personas)
        for personas, counters in table.of_panes(pane for pane in new if pane not in old):
            self._sums[personas] += counters
            touched.append(personas)
        return np.unique(np.concatenate(touched))


class _Table(Protocol):
    """A table whose rows are state."""

    def load(self, items: Sequence[tuple[str, bytes]]) -> None: ...
    def take_changed(self) -> Iterator[tuple[str, bytes]]: ...


@dataclass(frozen=True, slots=True)
class WindowCounts:
    """Counters of personas in one window; `counts` has the columns COUNTERS, all else the shape (personas,)."""

    window: Window
    numbers: Ints
    personas: list[str]
    counts: Ints
    first_revenue_ms: Ints  # 0 where there was none
    recurring_micros: Ints
    viral_posts: Ints | None  # of the lifetime only

    def chosen(self, which: Bools) -> WindowCounts:
        """Return those of some personas, by a mask."""
        return WindowCounts(
            self.window,
            self.numbers[which],
            [self.personas[place] for place in np.flatnonzero(which).tolist()],
            self.counts[which],
            self.first_revenue_ms[which],
            self.recurring_micros[which],
            None if self.viral_posts is None else self.viral_posts[which],
        )


class Place(NamedTuple):
    """Where counters stand: a persona's minute or hour (number of the pane), lifetime or post (its id)."""

    persona_id: str
    kind: str
    at: int | str = ""


class PersonaCounters:
    """Counters by (persona, pane) and by (persona, post), and the sums of every window.

    Partials are added in the order of their offsets.
    """

    def __init__(self) -> None:
        self._personas = PersonaNumbers()
        self.minutes = PaneTable("minute", self._personas)
        self.hours = PaneTable("hour", self._personas)
        self.lifetimes = LifetimeTable(self._personas)
        self.posts = PostTable(self._personas)
        self._panes = {"minute": self.minutes, "hour": self.hours}
        self._tables: dict[bytes, _Table] = {
            b"m": self.minutes,
            b"h": self.hours,
            b"l": self.lifetimes,
            b"p": self.posts,
        }  # by state tag
        self._sums = {window: RollingSums(window) for window in WINDOWS if window.granularity in self._panes}
        self._changed: set[int] = set()
        self._hour = 0

    def load(self, state: Iterable[tuple[bytes, bytes]]) -> None:
        """Take over restored state, as `take_state` gave it."""
        of: dict[bytes, list[tuple[str, bytes]]] = {tag: [] for tag in self._tables}
        for key, value in state:
            of[key[:1]].append((key[1:].decode(), value))
        for tag, table in self._tables.items():
            table.load(of[tag])
        self._reserve()
        self._changed.update(range(len(self._personas)))

    def take_state(self) -> list[tuple[bytes, bytes]]:
        """Return the state that changed since the last call, as keys and values."""
        state: list[tuple[bytes, bytes]] = []
        for tag, table in self._tables.items():
            state += [(tag + text.encode(), value) for text, value in table.take_changed()]
        return state

    def cells(self) -> Iterator[tuple[Place, Ints]]:
        """Yield all rows of counters by where they stand."""
        for name, table in self._panes.items():
            for persona, pane, counters in table.items():
                yield Place(persona, name, pane), counters
        for persona, counters in self.lifetimes.items():
            yield Place(persona, "lifetime"), counters
        for persona, post_id, counters in self.posts.items():
            yield Place(persona, "post", post_id), counters

    @staticmethod
    def owner_of(key: bytes) -> str:
        """Return the persona that the row under a state key is of."""
        tag, text = key[:1], key[1:].decode()
        if tag == b"l":
            return text
        return PostKey.parse(text).persona_id if tag == b"p" else PaneKey.parse(text).persona_id

    def add(self, panes: PaneEntries, posts: PostEntries, offset: int) -> None:
        """Add what the partial at `offset` counts."""
        self._add_panes(panes, offset)
        self.posts.add(posts.keys, posts.key, posts.counter, posts.amount, offset)
        self._reserve()

    def _add_panes(self, added: PaneEntries, offset: int) -> None:
        persona = self._personas.of(added.personas)[added.persona]
        self._reserve()
        for code, granularity in enumerate(GRANULARITIES):
            of = np.flatnonzero(added.granularity == code)
            entries = persona[of], added.pane[of], added.counter[of], added.amount[of]
            if granularity in self._panes:
                new = self._panes[granularity].add(*entries, offset)
                for window, sums in self._sums.items():
                    if window.granularity == granularity:
                        sums.add(*(column[new] for column in entries))
            else:
                self.lifetimes.add(entries[0], entries[2], entries[3], offset)
        self._changed.update(np.unique(persona).tolist())

    def _reserve(self) -> None:
        for sums in self._sums.values():
            sums.reserve(len(self._personas))

    def move_to(self, now_ms: int) -> None:
        """Move all windows to end at `now_ms`."""
        for window, sums in self._sums.items():
            touched = sums.move_to(now_ms, self._panes[window.granularity])
            self._changed.update(touched.tolist())
        if now_ms // HOUR_MS != self._hour:
            self._hour = now_ms // HOUR_MS
            self._changed.update(self._projected(now_ms).tolist())

    def _projected(self, now_ms: int) -> Ints:
        """Return the personas whose revenue projection moves with the days covered, though no count does."""
        first = self.lifetimes.of(np.arange(len(self._personas)))[:, FIRST_REVENUE]
        return np.flatnonzero(first > now_ms - MONTH_MS - HOUR_MS)

    def changed(self) -> int:
        """Return how many personas' counts may have changed since the last `take_changed`."""
        return len(self._changed)

    def take_changed(self) -> Iterator[WindowCounts]:
        """Yield every window of the personas whose counts may have changed, as they were at the last `move_to`."""
        numbers = np.array(sorted(self._changed), dtype=np.int64)
        self._changed.clear()
        personas = [self._personas.name(number) for number in numbers.tolist()]
        lifetime = self.lifetimes.of(numbers)
        first_revenue, recurring = lifetime[:, FIRST_REVENUE], lifetime[:, NUMBER["recurring_revenue_micros"]]
        for window in WINDOWS:
            rolling = window in self._sums
            counts = self._sums[window].of(numbers) if rolling else lifetime[:, : len(COUNTERS)]
            viral = None if rolling else self.posts.viral(numbers)
            yield WindowCounts(window, numbers, personas, counts, first_revenue, recurring, viral)

    def expire(self, now_ms: int) -> list[bytes]:
        """Delete panes that no window needs any more and return their state keys."""
        expired: list[bytes] = []
        for tag, table in ((b"m", self.minutes), (b"h", self.hours)):
            pane = (now_ms - RETENTION_MS[table.granularity]) // PANE_MS[table.granularity]
            expired += [tag + text.encode() for text in table.expire(pane)]
        return expired
