"""Lives of a log: a topic that is deleted and made again counts its offsets from 0, which state has seen already.

State is stamped with offsets, ranges are told by them and ids are made of them. So what a stateful stage sees are
offsets that go on: those of a log's second life begin at LIFE, of its third at twice that, and so on. They are turned
into the log's own where they leave the loop: for commits, for reading the log again and in dead letters.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from streams.engine.batch import FetchedRecord, Slice

LIFE = 2**44  # a million records a second fill a partition in half a year; 2**19 lives fit into 63 bits


class _Moved(NamedTuple):
    """A fetched record at its offset over all lives."""

    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str | bytes, bytes | None]]


def log_offset(offset: int) -> int:
    """Return the offset in the log itself; -1 (before the first) stays."""
    return offset % LIFE if offset >= 0 else offset


def in_life(part: Slice, life: int) -> Slice:
    """Return a slice of a log in its life number `life` (0 is the first), at its offsets over all lives."""
    if life == 0:
        return part
    start = life * LIFE
    after = None if part.after is None else part.after + start
    return replace(part, records=[moved(record, start) for record in part.records], after=after)


def moved(record: FetchedRecord, start: int) -> FetchedRecord:
    """Return a record as if its log began at `start`."""
    return _Moved(record.offset + start, record.timestamp, record.key, record.value, record.headers)
