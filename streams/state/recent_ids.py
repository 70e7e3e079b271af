"""Recent ids: which events of a partition repeat one among its last offsets, exactly and in little memory."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Hashes = NDArray[np.uint64]
Offsets = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class _Segment:
    """Distinct hashes in ascending order, each with the last offset it was seen at, counted from `base`."""

    hashes: Hashes
    base: int
    seen: NDArray[np.uint32]

    def __len__(self) -> int:
        return len(self.hashes)

    def last_seen(self, places: NDArray[np.intp]) -> Offsets:
        """Return the offsets of the hashes at some places."""
        return self.seen[places].astype(np.int64) + self.base

    def since(self, base: int) -> _Segment:
        """Return what was seen at an offset or later, counted from it."""
        recent = self.seen >= np.int64(base - self.base)
        seen = (self.seen[recent] - np.int64(base - self.base)).astype(np.uint32)
        return _Segment(self.hashes[recent], base, seen)


def _segment(hashes: Hashes, offsets: Offsets) -> _Segment:
    base = int(offsets.min())
    return _Segment(hashes, base, (offsets - base).astype(np.uint32))


class RecentIds:
    """Remember the event ids of the last `horizon` offsets of one partition as 64-bit hashes, 12 bytes each.

    An event is a repetition when the same id stands at one of the `horizon` offsets before it, whether a repetition
    itself or not. This is a function of the log alone: any batching and any restart gives the same answer, once
    `remember` was fed the log before the restart point. Two ids share a hash with probability n / 2**64, which is 5e-14
    an event at a million.

    The ids are kept in sorted segments that are merged when they have grown alike, so that an event costs O(log n).
    """

    def __init__(self, horizon: int) -> None:
        self._horizon = horizon
        self._segments: list[_Segment] = []

    def __len__(self) -> int:
        """Return how many entries are held; an id seen in several segments counts in each."""
        return sum(len(segment) for segment in self._segments)

    def remember(self, hashes: Hashes, offsets: Offsets) -> None:
        """Add ids of the log that need no answer."""
        self.first_seen(hashes, offsets)

    def first_seen(self, hashes: Hashes, offsets: Offsets) -> NDArray[np.bool_]:
        """Return which events are no repetition, and remember all. `offsets` ascend and lie behind all before."""
        count = len(hashes)
        if self._horizon == 0 or count == 0:
            return np.ones(count, dtype=np.bool_)
        order = np.argsort(hashes, kind="stable")
        ordered, at = hashes[order], offsets[order]
        same_as_previous = ordered[1:] == ordered[:-1]
        repeated = np.zeros(count, dtype=np.bool_)
        repeated[1:] = same_as_previous & (at[1:] - at[:-1] <= self._horizon)
        for segment in self._segments:
            repeated |= self._in_segment(segment, ordered, at)
        last_of_run = np.append(~same_as_previous, True)
        self._push(_segment(ordered[last_of_run], at[last_of_run]), newest=int(offsets[-1]))
        result = np.empty(count, dtype=np.bool_)
        result[order] = ~repeated
        return result

    def _in_segment(self, segment: _Segment, ordered: Hashes, at: Offsets) -> NDArray[np.bool_]:
        place = np.searchsorted(segment.hashes, ordered)
        place[place == len(segment)] = 0
        found = segment.hashes[place] == ordered
        return np.asarray(found & (at - segment.last_seen(place) <= self._horizon), dtype=np.bool_)

    def _push(self, segment: _Segment, newest: int) -> None:
        while self._segments and len(self._segments[-1]) <= 2 * len(segment):
            segment = self._merge(self._segments.pop(), segment, newest)
        self._segments.append(segment)

    def _merge(self, older: _Segment, newer: _Segment, newest: int) -> _Segment:
        base = max(older.base, newest - self._horizon)
        older, newer = older.since(base), newer.since(base)
        hashes = np.concatenate((older.hashes, newer.hashes))
        order = np.argsort(hashes, kind="stable")  # stable: of equal hashes the newer stands last
        hashes = hashes[order]
        last_of_run = np.append(hashes[1:] != hashes[:-1], True)
        hashes, order = hashes[last_of_run], order[last_of_run]
        return _Segment(hashes, base, np.concatenate((older.seen, newer.seen))[order])
