"""The duplicate filter: an event_id counts once among the last offsets of its partition, across restarts too."""

from __future__ import annotations

import logging
import time
from collections.abc import AsyncIterator, Callable, Sequence

import numpy as np
import polars as pl

from schemas.catalogue import Topic, topic_named
from schemas.codec.columns import ColumnCodec
from streams.engine.batch import ColumnBatch, TopicPartition
from streams.engine.slices import FetchedRecord, offsets_of
from streams.schema_faults import schema_faults
from streams.state.recent_ids import Hashes, Offsets, RecentIds
from streams.transport.log_lives import log_offset
from streams.validation import invalid_rows

logger = logging.getLogger(__name__)

ReadLog = Callable[[TopicPartition, int, int], AsyncIterator[Sequence[FetchedRecord]]]
"""Read (partition, first offset, offset behind the last) of the log in blocks; offsets that are gone are skipped."""


class DuplicateFilter:
    """Drop events of a partition whose event_id stands among its last `horizon` offsets.

    What it knows is a function of the log, so it is not kept as state: when a partition comes, the ids before the
    first slice are read again from the topic itself. What retention has deleted can't be recognised any more.
    """

    def __init__(self, source: TopicPartition, horizon: int, columns: ColumnCodec, read_log: ReadLog) -> None:
        self._source = source
        self._horizon = horizon
        self._columns = columns
        self._read_log = read_log
        self._recent: RecentIds | None = None

    async def warm_up(self, first_offset: int) -> None:
        """Learn the ids that stand before the partition's first slice; nothing to do when they are known."""
        if self._recent is not None or self._horizon == 0:
            return
        began = time.monotonic()
        recent = RecentIds(self._horizon)
        topic = topic_named(self._source.topic)
        in_log = log_offset(first_offset)
        if in_log > 0:
            async for records in self._read_log(self._source, max(in_log - self._horizon, 0), in_log):
                hashes, offsets = self._ids(topic, records)
                recent.remember(hashes, offsets + (first_offset - in_log))
            logger.info("Learnt %d ids of %s, %.2f s", len(recent), self._source, time.monotonic() - began)
        self._recent = recent

    def _ids(self, topic: Topic, records: Sequence[FetchedRecord]) -> tuple[Hashes, Offsets]:
        """Return the ids of records as the loop would hand them over: what it refuses repeats nothing."""
        with schema_faults():
            decoded = self._columns.decode(topic, [record.value for record in records])
        good = np.ones(len(decoded.frame), dtype=np.bool_)
        good[[row for row, _ in invalid_rows(topic, decoded.frame)]] = False
        return _hashes(decoded.frame)[good], offsets_of(records)[decoded.kept][good]

    def without_repetitions(self, batch: ColumnBatch) -> ColumnBatch:
        """Return the batch without events that repeat an earlier one."""
        if self._recent is None:
            return batch
        first = self._recent.first_seen(_hashes(batch.frame), batch.frame["offset"].to_numpy())
        return batch if first.all() else ColumnBatch(batch.source, batch.frame.filter(pl.Series(first)))


def _hashes(frame: pl.DataFrame) -> Hashes:
    return frame["event_id"].hash(seed=1).to_numpy()  # stable within a process, which is all that is needed
