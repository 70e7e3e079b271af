"""Batches: decoded slices of one partition, in order, as a stage receives them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, TypeVar

import polars as pl

from schemas.records import Record

R_co = TypeVar("R_co", bound=Record, covariant=True)


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
