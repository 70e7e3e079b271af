"""Folding: a slice is decoded and added to its partition, and what is refused goes the way of its topic's policy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from streams.engine.batch import Batch, ColumnBatch, Slice, TopicPartition
from streams.engine.dead_letters import Letters
from streams.engine.decoding import Decoded, Decoder
from streams.engine.partition import Partition
from streams.engine.retry import CircuitBreaker
from streams.engine.stage import Rejection
from streams.engine.stops import Stops, first_of
from streams.errors import RecordFault
from streams.quarantine.quarantine import Quarantine
from streams.state.duplicates import CLOCK_DIFFERENCE_MS, Refused
from streams.transport.log_lives import log_offset


class FoldingLoop(Protocol):
    """What folding asks of the loop that it is a part of."""

    def passed(self, partition: Partition, piece: Slice) -> None:
        """Note that the partition is behind a slice."""

    def discard(self, piece: Slice) -> None:
        """Let a slice go, which is read again."""

    async def conclude(self) -> None:
        """Bring what is folded to its end, and make it durable."""

    async def roll_back(self, source: TopicPartition) -> None:
        """Forget what of a partition is not durable, which is read again."""


class Folding:
    """Fold slices into partitions, one at a time.

    A record of which a dead letter of this consumer stands is left out: that letter is what became of it, also where
    the worker died between the letter and the commit and the record could be read by now. Sent again, it counts once.
    """

    def __init__(
        self,
        loop: FoldingLoop,
        *,
        decoder: Decoder,
        breaker: CircuitBreaker,
        quarantine: Quarantine,
        letters: Letters,
        stops: Stops,
        refused: Refused | None,
    ) -> None:
        self._loop = loop
        self._decoder = decoder
        self._breaker = breaker
        self._quarantine = quarantine
        self._letters = letters
        self._stops = stops
        self._refused = refused

    async def fold(self, partition: Partition, piece: Slice) -> None:
        """Fold a slice, or what is before the record that stops its partition; the rest is let go."""
        for part in self._stops.cut(piece):
            if self._stops.is_at(part):
                await self._loop.conclude()  # so that a stage that refuses it once more loses nothing with it
            if self._stops.waits(part.source):
                self._loop.discard(part)
            else:
                await self._fold(partition, part)

    async def set_aside(self, partition: Partition, piece: Slice, fault: RecordFault) -> None:
        """Refuse all records of a slice without a look at them."""
        await self._leave_out(partition, piece)
        rest = partition.without_refused(piece)
        if rest is None:
            self._loop.passed(partition, piece)
        elif self._stops.has(piece.source.topic):
            self._stops.stop(piece.source, rest.first_offset, fault)
            self._loop.discard(piece)
        else:
            self._letters.add(rest, [Rejection(each.offset, fault) for each in rest.records])
            self._loop.passed(partition, piece)

    async def _fold(self, partition: Partition, piece: Slice) -> None:
        await self._leave_out(partition, piece)
        readable = partition.without_refused(piece)
        if readable is None:
            self._loop.passed(partition, piece)
            return
        decoded = await self._breaker.until_available(lambda: self._decode(readable))
        if decoded.rejections and self._stops.has(piece.source.topic):
            await self._fold_before(partition, piece, first_of(decoded.rejections))
            return
        refused = list(decoded.rejections)
        if decoded.batch is not None:
            refused += await self._added(partition, readable, decoded.batch)
        if refused and self._stops.has(piece.source.topic):
            await self._stop_behind(piece, first_of(refused))
            return
        self._letters.add(readable, refused)
        self._quarantine.folded(readable)
        self._loop.passed(partition, piece)

    async def _fold_before(self, partition: Partition, piece: Slice, refusal: Rejection) -> None:
        """Stop before a record that can't be decoded; what is before it is folded."""
        before, rest = piece.split(refusal.offset)
        if before is not None:
            await self._fold(partition, before)
        assert rest is not None
        self._loop.discard(rest)
        if not self._stops.waits(piece.source):
            self._stops.stop(piece.source, refusal.offset, refusal.fault)

    async def _stop_behind(self, piece: Slice, refusal: Rejection) -> None:
        """Stop before a record that the stage refused, when it had the records behind it too: they are taken back."""
        self._loop.discard(piece)
        await self._loop.roll_back(piece.source)
        self._stops.stop(piece.source, refusal.offset, refusal.fault)

    async def _added(self, partition: Partition, piece: Slice, batch: Batch) -> Sequence[Rejection]:
        kept = batch
        if partition.duplicates is not None and isinstance(batch, ColumnBatch):
            duplicates = partition.duplicates
            await self._breaker.until_available(lambda: duplicates.warm_up(piece.first_offset))
            with self._quarantine.at_work(piece):
                kept = duplicates.without_repetitions(batch)
        return await self._breaker.until_available(lambda: self._add(partition, piece, kept))

    async def _leave_out(self, partition: Partition, piece: Slice) -> None:
        """Learn once, as a partition comes, which of the records that follow were refused before a commit got lost."""
        refused = self._refused
        if refused is None or partition.refused is not None:
            return
        since_ms = max(min(each.timestamp for each in piece.records) - CLOCK_DIFFERENCE_MS, 0)
        found = await self._breaker.until_available(lambda: refused(piece.source, since_ms))
        first = log_offset(piece.first_offset)
        partition.refused = frozenset(each for each in found if each[0] >= first)

    async def _decode(self, piece: Slice) -> Decoded:
        with self._quarantine.at_work(piece):
            return self._decoder.decode(piece)

    async def _add(self, partition: Partition, piece: Slice, batch: Batch) -> list[Rejection]:
        with self._quarantine.at_work(piece):
            return list(await partition.part.add(batch))
