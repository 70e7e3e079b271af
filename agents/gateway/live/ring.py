"""The newest records of a topic, decoded once for all listeners, up to a number of bytes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

ENTRY_BYTES = 300  # of an entry beside its data
TRIM_AT = 1_024  # entries let go of before the list is cut: each cut moves all that is left

Reason = Literal["retention", "made_again", "truncated"]
"""Deleted before it was read, a topic that was deleted and made again, or a log that lost its end."""


@dataclass(frozen=True, slots=True)
class LiveRecord:
    """A record as listeners get it; `data` is its JSON. `persona_id` is None where it names none that can be read."""

    partition: int
    offset: int
    persona_id: str | None
    data: bytes


@dataclass(frozen=True, slots=True)
class Gap:
    """What can't be told of a partition: reading goes on at `end` instead of at `start`."""

    partition: int
    start: int
    end: int
    reason: Reason


Entry = LiveRecord | Gap


@dataclass(frozen=True, slots=True)
class Beginning:
    """The log and the offsets at which a ring began, and why it did not just go on; None where it is the first time."""

    log_id: str
    starts: tuple[int, ...]
    reason: Reason | None


class Ring:
    """What the tail of a topic read last, in the order it came; each entry has a number.

    Of partition `p` it has all from offset `floors[p]` up to, not including, `ends[p]`.
    """

    def __init__(self, topic: str, max_bytes: int) -> None:
        self.topic = topic
        self.log_id = ""
        self.beginnings: list[Beginning] = []
        """Where it began, and began again since; none until it is known where the log ends."""
        self.floors: list[int] = []
        self.ends: list[int] = []
        self.away: str | None = None
        """Why nothing comes at the moment."""
        self._max_bytes = max_bytes
        self._bytes = 0
        self._entries: list[Entry] = []
        self._gone = 0  # at the front of the list
        self._cut = 0  # numbers of entries that are in the list no more

    @property
    def first(self) -> int:
        """Return the number of the oldest entry."""
        return self._cut + self._gone

    @property
    def next(self) -> int:
        """Return the number that the next entry will have."""
        return self._cut + len(self._entries)

    def begin(self, log_id: str, starts: Sequence[int], reason: Reason | None = None) -> None:
        """Forget all and go on at these offsets, of partitions 0, 1, 2 and so on."""
        self._cut, self._gone, self._bytes = self.next, 0, 0
        self._entries.clear()
        self.log_id, self.floors, self.ends = log_id, list(starts), list(starts)
        self.beginnings.append(Beginning(log_id, tuple(starts), reason))

    def widen(self, partitions: int) -> None:
        """Take in so many partitions that the topic got, which are read from their beginnings."""
        self.floors += [0] * partitions
        self.ends += [0] * partitions

    def append(self, entry: Entry) -> None:
        """Add what was read next of a partition, and let go of the oldest entries that have no room any more."""
        self._entries.append(entry)
        self._bytes += _size(entry)
        self.ends[entry.partition] = _end(entry)
        while self._bytes > self._max_bytes and self._gone < len(self._entries):
            self._let_go()
        if self._gone >= TRIM_AT:
            del self._entries[: self._gone]
            self._cut, self._gone = self._cut + self._gone, 0

    def since(self, number: int, most: int) -> Iterator[Entry]:
        """Yield up to so many entries from this number on, which must be there."""
        start = number - self._cut
        return iter(self._entries[start : start + most])

    def _let_go(self) -> None:
        entry = self._entries[self._gone]
        self._bytes -= _size(entry)
        self.floors[entry.partition] = _end(entry)
        self._gone += 1


def _size(entry: Entry) -> int:
    return ENTRY_BYTES + (len(entry.data) if isinstance(entry, LiveRecord) else 0)


def _end(entry: Entry) -> int:
    return entry.offset + 1 if isinstance(entry, LiveRecord) else entry.end
