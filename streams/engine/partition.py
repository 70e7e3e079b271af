"""A partition that a loop has: its part of the stage, and what of it is folded and waits for the next checkpoint."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Iterable, Iterator
from collections.abc import Set as AbstractSet
from dataclasses import replace
from typing import Any

from streams.engine.batch import FetchedRecord, Slice, TopicPartition
from streams.engine.retry import CircuitBreaker
from streams.engine.stage import AnyStage, LongPart, Part, Rejection
from streams.errors import ThreadsError
from streams.state.changelogged import ChangeloggedState
from streams.state.duplicates import DuplicateFilter
from streams.transport.log_lives import in_life, log_offset


class SliceMissing(ThreadsError):
    """Records between two slices never came: going on would lose them, so the worker starts again."""


class Partition:
    """What a loop knows of a partition, from its assignment until it goes.

    `position` is the last offset that is folded, `folded` holds the slices since the last checkpoint, in order.
    `refused` has offset and time of the records, from the first slice on, of which dead letters stand already; None
    until somebody has looked.
    """

    def __init__(self, source: TopicPartition, part: Part[Any], duplicates: DuplicateFilter | None) -> None:
        self.source = source
        self.part = part
        self.duplicates = duplicates
        self.position = -1
        self.folded: list[Slice] = []
        self.refused: AbstractSet[tuple[int, int]] | None = None

    def without_refused(self, piece: Slice) -> Slice | None:
        """Return a slice without the records that were refused already; None where nothing is left."""
        if not self.refused:
            return piece
        rest = [each for each in piece.records if _place(each) not in self.refused]
        if len(rest) == len(piece.records):
            return piece
        return replace(piece, records=rest) if rest else None

    def beyond(self, piece: Slice) -> Slice | None:
        """Return what of a slice is not folded yet, None where all of it is.

        Raises:
            SliceMissing: it follows records that never came.
        """
        if piece.after is not None and piece.after > self.position:
            raise SliceMissing(
                f"{self.source.topic}/{self.source.partition}: expected what follows offset {self.position}, "
                f"got a slice that follows {piece.after}; the worker starts again from its last checkpoint"
            )
        return piece.beyond(self.position)

    def passed(self, piece: Slice) -> None:
        """Note that a slice is folded: the next checkpoint acknowledges it, once its work is done."""
        self.position = piece.last_offset
        self.folded.append(piece)

    @property
    def next_offset(self) -> int | None:
        """Return the log's offset that it goes on at, None before anything was folded."""
        return None if self.position < 0 else log_offset(self.position) + 1

    @property
    def has_done(self) -> bool:
        """Tell whether a checkpoint could acknowledge anything."""
        return bool(self.folded) and self.folded[0].first_offset < self._open_from

    @property
    def is_done(self) -> bool:
        """Tell whether no record is worked on any more."""
        return self._open_from == sys.maxsize

    @property
    def _open_from(self) -> int:
        unfinished = self.part.unfinished() if isinstance(self.part, LongPart) else None
        return sys.maxsize if unfinished is None else unfinished

    def by_progress(self, stopping: Rejection | None = None) -> tuple[list[Slice], list[Slice]]:
        """Return what of the folded slices is done, in order, and what is still worked on.

        Nothing from the record on that it is to stop before counts as done.
        """
        open_from = self._open_from if stopping is None else min(self._open_from, stopping.offset)
        pieces = [piece.split(open_from) for piece in self.folded]
        return [done for done, _ in pieces if done is not None], [rest for _, rest in pieces if rest is not None]

    def durable(self) -> None:
        """Tell the part that what it flushed last is durable."""
        if isinstance(self.part, LongPart):
            self.part.durable()

    def without_bytes(self) -> None:
        """Give no bytes back any more for what is folded: the transport has forgotten them."""
        self.folded = [replace(piece, size_bytes=0) for piece in self.folded]

    async def leave(self) -> None:
        """Give it up: another worker has it now, or it is read again from its last commit."""
        if isinstance(self.part, LongPart):
            await self.part.leave()


def _place(record: FetchedRecord) -> tuple[int, int]:
    return log_offset(record.offset), max(record.timestamp, 0)


class Partitions:
    """The partitions that a loop has, by source; those that are new are taken over with the state that they left."""

    def __init__(
        self,
        stage: AnyStage,
        state: ChangeloggedState | None,
        duplicates: Callable[[TopicPartition], DuplicateFilter] | None,
        breaker: CircuitBreaker,
    ) -> None:
        self._stage = stage
        self._state = state
        self._duplicates = duplicates
        self._breaker = breaker
        self._held: dict[TopicPartition, Partition] = {}

    @property
    def sources(self) -> set[TopicPartition]:
        return set(self._held)

    @property
    def parts(self) -> dict[TopicPartition, Any]:
        """Return the stage's part of each partition."""
        return {source: partition.part for source, partition in self._held.items()}

    def __iter__(self) -> Iterator[Partition]:
        """Go through the partitions held."""
        return iter(self._held.values())

    def held(self, source: TopicPartition) -> Partition:
        """Return a partition that is held."""
        return self._held[source]

    @property
    def has_folded(self) -> bool:
        return any(partition.folded for partition in self)

    @property
    def has_done(self) -> bool:
        return any(partition.has_done for partition in self)

    @property
    def is_done(self) -> bool:
        return all(partition.is_done for partition in self)

    async def of(self, piece: Slice) -> tuple[Partition, Slice]:
        """Return the partition of a slice, and the slice at the offsets that the stage sees (log_lives.py)."""
        if piece.source not in self._held:
            await self.take_over({piece.source})
        return self._held[piece.source], in_life(piece, self._state.life(piece.source) if self._state else 0)

    async def take_over(self, new: set[TopicPartition]) -> None:
        """Take partitions over, each with its state."""
        states = await asyncio.gather(*(self._read_state(source) for source in sorted(new)))
        for source, items in zip(sorted(new), states, strict=True):
            part = await self._stage.take(source, items)
            self._held[source] = Partition(source, part, self._duplicates(source) if self._duplicates else None)

    async def _read_state(self, source: TopicPartition) -> Iterable[tuple[bytes, bytes]]:
        if self._state is None:
            return ()
        state = self._state
        return await self._breaker.until_available(lambda: state.restore(source))

    async def leave(self, source: TopicPartition) -> None:
        """Give a partition up, and close its state."""
        await self._held.pop(source).leave()
        if self._state is not None:
            self._state.release(source)
