"""Ranges: consecutive offsets of a source partition that are counted and told as one, so that each counts once."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise


@dataclass(frozen=True, slots=True)
class OffsetRange:
    """Offsets from `start` up to, not including, `end`."""

    start: int
    end: int


class Boundaries:
    """Where earlier ranges ended that may have reached some merge partitions and not others.

    A partial covers a range and counts in a merge partition if its end lies behind all that partition has. After a
    crash, ranges are cut anew, wherever slices and checkpoints fall; as long as none reaches across an earlier end,
    every merge partition has either all of a new range already or none of it. So ends are written to the changelog
    before partials go out, and kept until the range that starts behind them is counted.
    """

    def __init__(self, ends: Iterable[int] = ()) -> None:
        self._ends = sorted(set(ends))

    def cut(self, start: int, end: int) -> list[OffsetRange]:
        """Cut offsets from `start` up to `end` so that no range reaches across an earlier end."""
        cuts = [start, *(earlier for earlier in self._ends if start < earlier < end), end]
        return [OffsetRange(*pair) for pair in pairwise(cuts)]

    def extended(self, ranges: Sequence[OffsetRange]) -> Boundaries:
        """Return the ends to remember while these ranges go out: theirs, and earlier ones behind the first start."""
        kept = (end for end in self._ends if end > ranges[0].start)
        return Boundaries([*kept, *(each.end for each in ranges)])

    def encoded(self) -> bytes:
        return struct.pack(f"<{len(self._ends)}q", *self._ends)

    @classmethod
    def decoded(cls, value: bytes) -> Boundaries:
        return cls(struct.unpack(f"<{len(value) // 8}q", value))
