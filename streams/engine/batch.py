"""Slices, raw records of one partition as the transport hands them over, and batches, what a stage receives of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

import numpy as np
import polars as pl
from numpy.typing import NDArray

from schemas.records import Record

RECORD_OVERHEAD_BYTES = 200  # what a fetched record costs in memory beside its key and value
R_co = TypeVar("R_co", bound=Record, covariant=True)


class FetchedRecord(Protocol):
    """The part of a client's consumer record that the engine reads; `timestamp` is milliseconds since the epoch."""

    @property
    def offset(self) -> int: ...
    @property
    def timestamp(self) -> int: ...
    @property
    def key(self) -> bytes | None: ...
    @property
    def value(self) -> bytes | None: ...
    @property
    def headers(self) -> Sequence[tuple[str | bytes, bytes | None]]: ...  # names that are no UTF-8 are bytes


@dataclass(frozen=True, slots=True)
class Slice:
    """Consecutive records of one partition, at least one.

    `after` is the last offset handed over before this slice since the partition was last sought, None for the first:
    whoever receives slices can tell that none is missing, although offsets of a log may have holes.
    """

    source: TopicPartition
    records: Sequence[FetchedRecord]
    after: int | None
    size_bytes: int

    @property
    def first_offset(self) -> int:
        return self.records[0].offset

    @property
    def last_offset(self) -> int:
        return self.records[-1].offset

    def bounds(self) -> Slice:
        """Return it with its first and last record alone, and no bytes to give back: enough to acknowledge it by."""
        return replace(self, records=[self.records[0], self.records[-1]], size_bytes=0)

    def beyond(self, offset: int) -> Slice | None:
        """Return the part after `offset`, None when nothing is left."""
        if self.first_offset > offset:
            return self
        rest = [record for record in self.records if record.offset > offset]
        return replace(self, records=rest, size_bytes=weigh(rest)) if rest else None

    def split(self, offset: int) -> tuple[Slice | None, Slice | None]:
        """Return the part before `offset` and the part from it on; None where nothing is there."""
        rest = self.beyond(offset - 1)
        if rest is None or rest is self:
            return (self, None) if rest is None else (None, self)
        done = [record for record in self.records if record.offset < offset]
        return replace(self, records=done, size_bytes=self.size_bytes - rest.size_bytes), rest


def offsets_of(records: Sequence[FetchedRecord]) -> NDArray[np.int64]:
    """Return the offsets of records of one partition in order, shape (records,)."""
    count = len(records)
    if count and records[-1].offset - records[0].offset == count - 1:  # offsets ascend, so there is no hole
        return np.arange(records[0].offset, records[-1].offset + 1)
    return np.fromiter((record.offset for record in records), dtype=np.int64, count=count)


def weigh(records: Sequence[FetchedRecord]) -> int:
    """Return the bytes that records hold in memory, about."""
    values = [record.value for record in records]
    return sum(map(len, filter(None, values))) + RECORD_OVERHEAD_BYTES * len(records)


def cut(source: TopicPartition, records: Sequence[FetchedRecord], after: int | None, max_bytes: int) -> list[Slice]:
    """Cut fetched records into slices of about `max_bytes` at most; one larger record is a slice of its own."""
    total = weigh(records)
    if total <= max_bytes:
        return [Slice(source, records, after, total)]
    middle = len(records) // 2
    if middle == 0:
        return [Slice(source, records, after, total)]
    left = cut(source, records[:middle], after, max_bytes)
    return left + cut(source, records[middle:], records[middle - 1].offset, max_bytes)


class TopicPartition(NamedTuple):
    """A partition of a topic."""

    topic: str
    partition: int


@dataclass(frozen=True, slots=True)
class Row(Generic[R_co]):
    """One decoded record with the offset it was read from."""

    offset: int
    record: R_co


@dataclass(frozen=True, slots=True)
class RowBatch(Generic[R_co]):
    """Records of one partition, in offset order: the form of row topics (requests, drafts, decisions)."""

    source: TopicPartition
    rows: Sequence[Row[R_co]]


@dataclass(frozen=True, slots=True)
class ColumnBatch:
    """Columns of one partition, in offset order: the form of high-volume topics (engagement, cost, revenue).

    `frame` has the columns of the reader's schema, plus `offset` (Int64). Enums are String columns,
    timestamp-millis are Int64 milliseconds since the epoch, UTC.
    """

    source: TopicPartition
    frame: pl.DataFrame


Batch = RowBatch[Any] | ColumnBatch
