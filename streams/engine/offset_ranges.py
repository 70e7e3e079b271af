"""Ranges of offsets of a source partition that are told to others, each of which adds a range once."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeVar
from zlib import crc32

T = TypeVar("T")


def target_partition(key: str, partitions: int) -> int:
    """Return the partition of a topic in which all that concerns a key comes together."""
    return crc32(key.encode()) % partitions


@dataclass(frozen=True, slots=True)
class OffsetRange:
    """Offsets from `start` up to, not including, `end`."""

    start: int
    end: int


class Boundaries:
    """Where earlier ranges ended that may have reached some target partitions and not others.

    What is told of a range counts in a target partition if the range's end lies behind all that partition has. After a
    crash, ranges are cut anew, wherever slices and checkpoints fall; as long as none reaches across an earlier end,
    every target partition has either all of a new range already or none of it. So ends are written to the changelog
    before anything goes out, and kept until the range that starts behind them is counted.
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


Told = tuple[OffsetRange, list[tuple[int, T]]]
"""A range, and for each target partition what it says."""


def told_in_ranges(
    ranges: Iterable[OffsetRange],
    told_of: Callable[[OffsetRange], list[tuple[int, T]]],
    size_of: Callable[[T], int],
    max_bytes: int,
) -> Iterator[Told[T]]:
    """Yield what is told of each range; one of which a record would be larger than `max_bytes` is halved."""
    for offsets in ranges:
        told = told_of(offsets)
        middle = (offsets.start + offsets.end) // 2
        if max((size_of(each) for _, each in told), default=0) <= max_bytes or middle == offsets.start:
            yield offsets, told
        else:
            halves = OffsetRange(offsets.start, middle), OffsetRange(middle, offsets.end)
            yield from told_in_ranges(halves, told_of, size_of, max_bytes)
