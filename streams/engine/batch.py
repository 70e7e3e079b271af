"""Batches: decoded slices of one partition, in order, as a stage receives them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import polars as pl

from schemas.records import Record


class TopicPartition(NamedTuple):
    """A partition of a topic."""

    topic: str
    partition: int


@dataclass(frozen=True, slots=True)
class Row:
    """One decoded record with the offset it was read from."""

    offset: int
    record: Record


@dataclass(frozen=True, slots=True)
class RowBatch:
    """Records of one partition, in offset order: the form of row topics (requests, drafts, decisions)."""

    source: TopicPartition
    rows: Sequence[Row]


@dataclass(frozen=True, slots=True)
class ColumnBatch:
    """Columns of one partition, in offset order: the form of high-volume topics (engagement, cost, revenue).

    `frame` has the columns of the reader's schema, plus `offset` (Int64). Enums are String columns,
    timestamp-millis are Int64 milliseconds since the epoch, UTC.
    """

    source: TopicPartition
    frame: pl.DataFrame


Batch = RowBatch | ColumnBatch
