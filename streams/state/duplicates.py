"""The duplicate filter: an event_id counts once among the last offsets of its partition, across restarts too."""

from __future__ import annotations

import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from schemas.catalogue import Topic, topic_named
from schemas.codec.columns import ColumnCodec
from streams.engine.batch import ColumnBatch, FetchedRecord, TopicPartition, offsets_of
from streams.transport.log_lives import log_offset
from streams.validation import invalid_rows, schema_faults

Hashes = NDArray[np.uint64]
Offsets = NDArray[np.int64]
logger = logging.getLogger(__name__)
ReadLog = Callable[[TopicPartition, int, int], AsyncIterator[Sequence[FetchedRecord]]]
"""Read (partition, first offset, offset behind the last) of the log in blocks; offsets that are gone are skipped."""
Refused = Callable[[TopicPartition, int], Awaitable[AbstractSet[tuple[int, int]]]]
"""Give offset and time of the records of a partition that were refused since a time, both in epoch milliseconds."""

CLOCK_DIFFERENCE_MS = 2 * 3_600_000  # a record may be later than its letter: brokers take an hour by default


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


class DuplicateFilter:
    """Drop events of a partition whose event_id stands among its last `horizon` offsets.

    What it knows is a function of the log, so it is not kept as state: when a partition comes, the ids before the
    first slice are read again from the topic itself. What retention has deleted can't be recognised any more.
    A record that was refused, as its dead letter says, repeats nothing, though it could be read today: where it was
    sent again after a fix, that one is the first.
    """

    def __init__(
        self,
        source: TopicPartition,
        horizon: int,
        columns: ColumnCodec,
        read_log: ReadLog,
        refused: Refused | None = None,
    ) -> None:
        self._source = source
        self._horizon = horizon
        self._columns = columns
        self._read_log = read_log
        self._refused = refused
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
            learnt = list[tuple[Hashes, Offsets, Offsets]]()
            async for records in self._read_log(self._source, max(in_log - self._horizon, 0), in_log):
                learnt.append(self._ids(topic, records))
            refused = await self._refused_among(learnt)
            for hashes, offsets, _ in learnt:
                counted = ~np.isin(offsets, refused)
                recent.remember(hashes[counted], offsets[counted] + (first_offset - in_log))
            logger.info("Learnt %d ids of %s, %.2f s", len(recent), self._source, time.monotonic() - began)
        self._recent = recent

    async def _refused_among(self, learnt: Sequence[tuple[Hashes, Offsets, Offsets]]) -> Offsets:
        """Return the offsets of those that were refused; in a topic that was made again offsets come twice."""
        earliest = min((int(times.min()) for _, _, times in learnt if len(times)), default=None)
        if self._refused is None or earliest is None:
            return np.empty(0, dtype=np.int64)
        refused = await self._refused(self._source, max(earliest - CLOCK_DIFFERENCE_MS, 0))
        suspects = np.array(sorted(offset for offset, _ in refused), dtype=np.int64)
        among = list[int]()
        for _, offsets, times in learnt:
            places = np.flatnonzero(np.isin(offsets, suspects))
            pairs = zip(offsets[places].tolist(), np.maximum(times[places], 0).tolist(), strict=True)
            among += [offset for offset, time_ms in pairs if (offset, time_ms) in refused]
        return np.array(among, dtype=np.int64)

    def _ids(self, topic: Topic, records: Sequence[FetchedRecord]) -> tuple[Hashes, Offsets, Offsets]:
        """Return ids, offsets and times of records as the loop would hand them over, without what it would refuse."""
        with schema_faults():
            decoded = self._columns.decode(topic, [record.value for record in records])
        good = np.ones(len(decoded.frame), dtype=np.bool_)
        good[[row for row, _ in invalid_rows(topic, decoded.frame)]] = False
        times = np.array([each.timestamp for each in records], dtype=np.int64)
        return id_hashes(decoded.frame)[good], offsets_of(records)[decoded.kept][good], times[decoded.kept][good]

    def without_repetitions(self, batch: ColumnBatch) -> ColumnBatch:
        """Return the batch without events that repeat an earlier one."""
        if self._recent is None:
            return batch
        first = self._recent.first_seen(id_hashes(batch.frame), batch.frame["offset"].to_numpy())
        return batch if first.all() else ColumnBatch(batch.source, batch.frame.filter(pl.Series(first)))


def id_hashes(frame: pl.DataFrame) -> Hashes:
    """Return what event ids are remembered by, shape (rows,)."""
    return frame["event_id"].hash(seed=1).to_numpy()  # stable within a process, which is all that is needed
