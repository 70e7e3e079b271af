"""Changelogged state of a stage: first the compacted topic, acknowledged, then the local store."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from streams.engine.batch import TopicPartition
from streams.state.local_store import LocalStore, StoreDamaged

logger = logging.getLogger(__name__)

Changes = Sequence[tuple[bytes, bytes | None]]


class Changelog(Protocol):
    """A compacted topic for each source topic, with the same partitions."""

    async def append(self, source: TopicPartition, changes: Changes) -> int:
        """Append changes in order, wait for every acknowledgement, and return the offset behind the last.

        Raises:
            Unavailable: the broker did not acknowledge all; the same call may be made again.
        """

    async def bounds(self, source: TopicPartition) -> tuple[int, int]:
        """Return the first offset there is, and the one behind the last."""

    def read(self, source: TopicPartition, start: int, end: int) -> AsyncIterator[Changes]:
        """Yield the changes in [start, end) in order, block by block."""


@dataclass(frozen=True, slots=True)
class Appended:
    """Changes that the changelog has; `end` is the offset behind them."""

    source: TopicPartition
    changes: Changes
    end: int


class ChangeloggedState:
    """The durable state of one stage, by source partition.

    The changelog is the truth and the local store a copy that is never ahead of it: `append` waits for the changelog,
    `store` follows. A crash between the two is made good at the next `restore`, which reads the changelog's tail.
    """

    def __init__(self, changelog: Changelog, folder: Path, open_store: Callable[[Path], LocalStore]) -> None:
        self._changelog = changelog
        self._folder = folder
        self._open_store = open_store
        self._stores: dict[TopicPartition, LocalStore] = {}

    async def restore(self, source: TopicPartition) -> Iterator[tuple[bytes, bytes]]:
        """Bring the local store of a partition up to date and return all its keys and values."""
        began = time.monotonic()
        self.release(source)
        store = self._open_store(self._folder / f"{source.topic}-{source.partition}")
        first, end = await self._changelog.bounds(source)
        position = store.position()
        if position is not None and not first <= position <= end:
            logger.warning(
                "Local state of %s is of another log (offset %d, log has %d to %d): dropped",
                source,
                position,
                first,
                end,
            )
            store.clear()
            position = None
        start = first if position is None else position
        try:
            count, items = await self._caught_up(source, store, start, end)
        except StoreDamaged as damage:
            logger.warning("Local state of %s: dropped, and read from the changelog: %s", source, damage)
            store.clear()
            count, items = await self._caught_up(source, store, first, end)
        self._stores[source] = store
        logger.info("Restored %s: %d changes read, %.2f s", source, count, time.monotonic() - began)
        return iter(items)

    async def _caught_up(
        self, source: TopicPartition, store: LocalStore, start: int, end: int
    ) -> tuple[int, list[tuple[bytes, bytes]]]:
        """Return how many changes were read, and all keys and values."""
        count = await self._catch_up(source, store, start, end)
        return count, list(store.items())  # all, before any is handed out: damage shows at the end

    async def _catch_up(self, source: TopicPartition, store: LocalStore, start: int, end: int) -> int:
        count = 0
        if start < end:
            async for changes in self._changelog.read(source, start, end):
                count += len(changes)
                store.apply(
                    changes, start
                )  # the position moves at the end: a block does not say which offset it reaches
        store.apply((), end)
        return count

    async def append(self, changes: Mapping[TopicPartition, Changes]) -> list[Appended]:
        """Write changes to the changelog; when this returns, the broker has acknowledged all of them."""
        ends = await asyncio.gather(*(self._changelog.append(source, pairs) for source, pairs in changes.items()))
        return [Appended(source, pairs, end) for (source, pairs), end in zip(changes.items(), ends, strict=True)]

    def store(self, appended: Iterable[Appended]) -> None:
        """Copy acknowledged changes to the local stores."""
        for part in appended:
            if part.source in self._stores:
                self._store(part)

    def _store(self, part: Appended) -> None:
        """Copy changes to a local store; go on without it where it is damaged: the changelog has everything."""
        try:
            self._stores[part.source].apply(part.changes, part.end)
        except StoreDamaged as damage:
            logger.warning("Local state of %s: dropped, the next start reads it anew: %s", part.source, damage)
            self._stores.pop(part.source).remove()

    def release(self, source: TopicPartition) -> None:
        """Close the local store of a partition that goes to another worker."""
        store = self._stores.pop(source, None)
        if store is not None:
            store.close()

    def close(self) -> None:
        for source in list(self._stores):
            self.release(source)
