"""A partition that a loop has: its part of the stage, and what of it is folded and waits for the next checkpoint."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import Any

from streams.engine.batch import TopicPartition
from streams.engine.slices import Slice
from streams.engine.stage import LongPart, Part
from streams.errors import ThreadsError
from streams.state.duplicates import DuplicateFilter


class SliceMissing(ThreadsError):
    """Records between two slices never came: going on would lose them, so the worker starts again."""


class Partition:
    """What a loop knows of a partition, from its assignment until it goes.

    `position` is the last offset that is folded, `folded` holds the slices since the last checkpoint, in order.
    """

    def __init__(self, source: TopicPartition, part: Part[Any], duplicates: DuplicateFilter | None) -> None:
        self.source = source
        self.part = part
        self.duplicates = duplicates
        self.position = -1
        self.folded: list[Slice] = []

    def beyond(self, part: Slice) -> Slice | None:
        """Return what of a slice is not folded yet, None where all of it is.

        Raises:
            SliceMissing: it follows records that never came.
        """
        if part.after is not None and part.after > self.position:
            raise SliceMissing(
                f"{self.source.topic}/{self.source.partition}: expected what follows offset {self.position}, "
                f"got a slice that follows {part.after}; the worker starts again from its last checkpoint"
            )
        return part.beyond(self.position)

    def passed(self, part: Slice) -> None:
        """Note that a slice is folded: the next checkpoint acknowledges it, once its work is done."""
        self.position = part.last_offset
        self.folded.append(part)

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

    def by_progress(self) -> tuple[list[Slice], list[Slice]]:
        """Return what of the folded slices is done, in order, and what is still worked on."""
        parts = [part.split(self._open_from) for part in self.folded]
        return [done for done, _ in parts if done is not None], [rest for _, rest in parts if rest is not None]

    def without_bytes(self) -> None:
        """Give no bytes back any more for what is folded: the transport has forgotten them."""
        self.folded = [replace(part, size_bytes=0) for part in self.folded]

    async def leave(self) -> None:
        """Give it up: another worker has it now, or it is read again from its last commit."""
        if isinstance(self.part, LongPart):
            await self.part.leave()
