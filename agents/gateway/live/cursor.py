"""Where one listener stands in one topic, and what it gets next: each record once, or a gap that says what not."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from agents.gateway.live.positions import LogPosition, topic_text
from agents.gateway.live.ring import Beginning, Entry, Gap, Ring


class Cursor:
    """Read a ring from a position on, or from what comes next; keeps a number a partition and no records."""

    def __init__(self, ring: Ring, start: LogPosition | None) -> None:
        """Begin at `start`, else at the end of the ring, or where the ring will begin."""
        self.ring = ring
        if start is None and ring.beginnings:
            start = LogPosition(ring.log_id, tuple(ring.ends))
        self._start = start
        self._log_id = "" if start is None else start.log_id
        self._offsets: list[int] = [] if start is None else list(start.offsets)
        self._seen = max(len(ring.beginnings) - 1, 0)
        self._is_in = False  # the ring's log
        self._gaps: list[Gap] = []  # to be told before anything else
        self._number: int | None = None  # of the next entry; None where it has to join the ring
        self._found: set[int] = set()  # partitions of which the log reaches as far as the position says
        self.settle()

    def text(self) -> str | None:
        """Return the position as text; None where it is not known yet."""
        if not self._is_in and self._start is None:
            return None
        return topic_text(self.ring.topic, self._log_id, self._offsets)

    def settle(self) -> None:
        """Take in that the ring began, began again or was widened since the last time."""
        for beginning in self.ring.beginnings[self._seen :]:
            self._gaps += self._missed(beginning) if self._is_in else self._enter(beginning)
            self._seen, self._is_in, self._number = self._seen + 1, True, None
            self._found.clear()
        if self._is_in and not self._gaps:
            self._take_shape()

    def is_settled(self) -> bool:
        """Tell whether the ring goes on as this cursor knows it, and its gaps are told."""
        return self._seen == len(self.ring.beginnings) and not self._gaps

    def to_fetch(self) -> Mapping[int, int]:
        """Return the partitions that have to be read from the log, from these offsets on: the ring begins later.

        One is also looked at there where the position lies behind the ring's end: the log may have lost its own.
        """
        if not self._is_in or not self.is_settled() or self._has_joined():
            return {}
        floors, ends = self.ring.floors, self.ring.ends
        return {
            partition: offset
            for partition, offset in enumerate(self._offsets)
            if offset < floors[partition] or (offset > ends[partition] and partition not in self._found)
        }

    def take(self, most: int) -> Iterator[Entry]:
        """Yield gaps, and what is new of up to so many entries of the ring; none while something is `to_fetch`.

        Who stops in between goes on there the next time.
        """
        self.settle()
        while self._gaps:
            gap = self._gaps.pop(0)
            at = self._offsets[gap.partition]
            self._offsets[gap.partition] = min(at, gap.end)
            self.settle()
            if at > gap.end or gap.reason == "made_again":
                yield Gap(gap.partition, at, gap.end, gap.reason)
        if not self._is_in or self.to_fetch():
            return
        if not self._has_joined():
            self._number = self.ring.first
        assert self._number is not None
        for entry in self.ring.since(self._number, most):
            self._number += 1
            yield from self._pass(entry)

    def take_fetched(self, entries: Iterable[Entry], reached: Mapping[int, int]) -> Iterator[Entry]:
        """Yield what is new of entries read from the log, and go on from the offsets `reached` by that.

        They may begin before what is `to_fetch`, and be of some of its partitions.
        """
        for entry in entries:
            yield from self._pass(entry)
        for partition, offset in reached.items():
            self._offsets[partition] = max(self._offsets[partition], offset)
        self._found.update(reached)

    def has_more(self) -> bool:
        """Tell whether `take` has something to look at."""
        if not self.is_settled():
            return True
        return self._is_in and not self.to_fetch() and self._number != self.ring.next

    def _has_joined(self) -> bool:
        return self._number is not None and self._number >= self.ring.first

    def _pass(self, entry: Entry) -> Iterator[Entry]:
        at = self._offsets[entry.partition]
        if isinstance(entry, Gap):
            if at < entry.end or entry.reason == "truncated":
                self._offsets[entry.partition] = entry.end
                yield Gap(entry.partition, at, entry.end, entry.reason)
        elif at <= entry.offset:
            self._offsets[entry.partition] = entry.offset + 1
            yield entry

    def _enter(self, beginning: Beginning) -> list[Gap]:
        if self._start is None:
            self._offsets = list(beginning.starts)
            return []
        fits = self._start.is_of(beginning.log_id) and len(self._offsets) <= len(self.ring.ends)
        return [] if fits else self._all_missed()

    def _missed(self, beginning: Beginning) -> list[Gap]:
        if beginning.reason != "truncated":
            return self._all_missed()
        cut = zip(self._offsets, beginning.starts, strict=False)
        return [Gap(partition, at, end, "truncated") for partition, (at, end) in enumerate(cut) if at > end]

    def _all_missed(self) -> list[Gap]:
        """Return the gaps of a log that is another one: it is read from its beginning."""
        return [Gap(partition, at, 0, "made_again") for partition, at in enumerate(self._offsets)]

    def _take_shape(self) -> None:
        """Count in the ring's log, in as many partitions as it has: new ones are read from their beginning."""
        self._log_id = self.ring.log_id
        partitions = len(self.ring.ends)
        self._offsets = [*self._offsets[:partitions], *([0] * (partitions - len(self._offsets)))]
