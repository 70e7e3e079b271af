"""Changelogged state of a stage: first the compacted topic, acknowledged, then the local store; and whose log it is."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, Self

from streams.engine.batch import TopicPartition
from streams.kafka.hidden import Hidden, HiddenNow, nothing_hidden
from streams.state.local_store import LocalStore, StoreDamaged

OF_THE_ENGINE = b"\xff"
"""What keys begin with that are not the stage's: those begin with text, which no UTF-8 does so."""
MARK = b"\xfflog"
logger = logging.getLogger(__name__)
HIDDEN = b"\xffhidden"
"""Key of what was hidden when entries were last deleted for it: JSON of times by key."""
CHANGELOG = b"\xffchangelog"  # key of the changelog's id, in local stores alone
Changes = Sequence[tuple[bytes, bytes | None]]


@dataclass(frozen=True, slots=True)
class LogMark:
    """The id of a log, and its number among those that the state has seen: `life` 0 is the first."""

    log_id: str
    life: int = 0

    def followed_by(self, log_id: str) -> LogMark:
        """Return the mark of the log there is now: this one, or that of the next life."""
        return self if log_id == self.log_id else LogMark(log_id, self.life + 1)

    def encoded(self) -> bytes:
        return json.dumps({"log": self.log_id, "life": self.life}).encode()

    @classmethod
    def decoded(cls, value: bytes) -> Self:
        found = json.loads(value)
        return cls(str(found["log"]), int(found["life"]))


class Changelog(Protocol):
    """A compacted topic for each source topic, with the same partitions."""

    async def append(self, source: TopicPartition, changes: Changes) -> int:
        """Append changes in order, wait for every acknowledgement, and return the offset behind the last.

        Raises:
            Unavailable: the broker did not acknowledge all; the same call may be made again.
        """

    async def bounds(self, source: TopicPartition) -> tuple[int, int]:
        """Return the first offset there is, and the one behind the last."""

    def identity(self, source: TopicPartition) -> str | None:
        """Return which log the last `bounds` were of, None where the broker does not tell."""

    def read(self, source: TopicPartition, start: int, end: int) -> AsyncIterator[Changes]:
        """Yield the changes in [start, end) in order, block by block."""


def _unknown(source: TopicPartition) -> None:
    """Tell nothing of the log that a partition is, as a broker too old for it."""
    del source


def _nobody(key: bytes, value: bytes) -> None:
    """Tell that an entry is nobody's."""
    del key, value


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

    With the state stands which log of the source its offsets count in (streams/transport/log_lives.py says what for).
    Entries of keys that became hidden are deleted at the next `restore`, once for each time of hiding: what comes later
    is of somebody else.
    """

    def __init__(
        self,
        changelog: Changelog,
        folder: Path,
        open_store: Callable[[Path], LocalStore],
        log_id_of: Callable[[TopicPartition], str | None] = _unknown,
        *,
        owner_of: Callable[[bytes, bytes], str | None] = _nobody,
        hidden: HiddenNow = nothing_hidden,
    ) -> None:
        self._changelog = changelog
        self._folder = folder
        self._open_store = open_store
        self._log_id_of = log_id_of
        self._owner_of = owner_of
        self._hidden = hidden
        self._stores: dict[TopicPartition, LocalStore] = {}
        self._marks: dict[TopicPartition, LogMark] = {}
        self._unmarked: set[TopicPartition] = set()  # their mark is written before any state that it is to explain

    async def restore(self, source: TopicPartition) -> Iterator[tuple[bytes, bytes]]:
        """Bring the local store of a partition up to date and return all its keys and values."""
        began = time.monotonic()
        self.release(source)
        store = self._open_store(self._folder / f"{source.topic}-{source.partition}")
        first, end = await self._changelog.bounds(source)
        position = store.position()
        if position is not None and await self._is_lost(source, store, first, end):
            position = end = await self._rewritten(source, store)
        elif position is not None and not first <= position <= end:
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
        identity = self._changelog.identity(source)
        if identity is not None:
            store.apply([(CHANGELOG, identity.encode())], end)
        self._stores[source] = store
        items = await self._without_hidden(source, await self._marked(source, items))
        logger.info("Restored %s: %d changes read, %.2f s", source, count, time.monotonic() - began)
        return iter(items)

    def sizes(self) -> dict[str, int]:
        """Return what the local stores take by source topic, in files and in memory, bytes."""
        sizes: Counter[str] = Counter()
        for source, store in self._stores.items():
            sizes[source.topic] += store.size_bytes()
        return dict(sizes)

    def life(self, source: TopicPartition) -> int:
        """Return the number of the log's life among those that the state of a restored partition has seen."""
        mark = self._marks.get(source)
        return 0 if mark is None else mark.life

    async def _marked(self, source: TopicPartition, items: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
        """Find out which life the log is in; return the state without the mark."""
        found = next((LogMark.decoded(value) for key, value in items if key == MARK), None)
        log_id = self._log_id_of(source)
        mark = found  # where the broker does not tell: take it for the one it was
        if log_id is not None:
            mark = LogMark(log_id) if found is None else found.followed_by(log_id)
        if mark is not None:
            self._marks[source] = mark
        if mark != found:
            await self._mark(source, found, has_state=any(key != CHANGELOG for key, _ in items))
        return [item for item in items if item[0] not in (MARK, CHANGELOG)]

    async def _without_hidden(
        self, source: TopicPartition, items: list[tuple[bytes, bytes]]
    ) -> list[tuple[bytes, bytes]]:
        """Delete what is of keys that were hidden since the last time; return the rest."""
        told = next((value for key, value in items if key == HIDDEN), b"{}")
        kept = [item for item in items if item[0] != HIDDEN]
        known, now = _decoded(told), self._hidden()
        fresh = {key for key, at in now.before_ms.items() if at > known.get(key, -1)}
        if not fresh:
            return kept
        gone = [key for key, value in kept if (self._owner_of(key, value) or "").encode() in fresh]
        changes = [*((key, None) for key in gone), (HIDDEN, _encoded(now))]
        self.store(await self.append({source: changes}))
        if gone:
            logger.info("%s/%d: %d entries of hidden keys are deleted from its state", *source, len(gone))
        deleted = set(gone)
        return [item for item in kept if item[0] not in deleted]

    async def _mark(self, source: TopicPartition, found: LogMark | None, *, has_state: bool) -> None:
        if found is not None:
            logger.warning("%s/%d is another log now: its records count on top of what the state has", *source)
        if found is None and has_state:  # of an earlier version; it may not change before its topic is made again
            self.store(await self.append({source: [(MARK, self._marks[source].encoded())]}))
        else:
            self._unmarked.add(source)

    async def _is_lost(self, source: TopicPartition, store: LocalStore, first: int, end: int) -> bool:
        """Tell whether the changelog was made again, and the local copy is the best there is.

        One that has state begins with its mark, or was rewritten and ends with it. Without one it is empty, or has no
        more than what a worker wrote that had not noticed yet.
        """
        kept, current = store.get(CHANGELOG), self._changelog.identity(source)
        if kept is None or current is None or kept == current.encode() or store.get(MARK) is None:
            return False
        return not await self._has_mark(source, first, end)

    async def _has_mark(self, source: TopicPartition, first: int, end: int) -> bool:
        if first < end:
            async for changes in self._changelog.read(source, first, end):
                if any(key == MARK for key, _ in changes):
                    return True
        return False

    async def _rewritten(self, source: TopicPartition, store: LocalStore) -> int:
        """Write the local copy to the changelog, its mark last: until it is there, the copy is what counts."""
        items = [item for item in store.items() if item[0] != CHANGELOG]
        items.sort(key=lambda item: item[0] == MARK)
        logger.error(
            "The changelog of %s/%d is gone or was made again: %d keys are written to it from the local copy, "
            "which lacks what other workers wrote since it was last used here",
            *source,
            len(items),
        )
        end = await self._changelog.append(source, items)
        store.apply((), end)
        return int(end)

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
        by_source = {source: self._behind_mark(source, pairs) for source, pairs in changes.items()}
        ends = await asyncio.gather(*(self._changelog.append(source, pairs) for source, pairs in by_source.items()))
        self._unmarked -= by_source.keys()
        return [Appended(source, pairs, end) for (source, pairs), end in zip(by_source.items(), ends, strict=True)]

    def _behind_mark(self, source: TopicPartition, changes: Changes) -> Changes:
        if source not in self._unmarked:
            return changes
        return [(MARK, self._marks[source].encoded()), *changes]

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
        self._marks.pop(source, None)
        self._unmarked.discard(source)
        store = self._stores.pop(source, None)
        if store is not None:
            store.close()

    def close(self) -> None:
        for source in list(self._stores):
            self.release(source)


def _encoded(hidden: Hidden) -> bytes:
    return json.dumps({key.hex(): at for key, at in hidden.before_ms.items()}).encode()


def _decoded(value: bytes) -> dict[bytes, int]:
    return {bytes.fromhex(key): int(at) for key, at in json.loads(value).items()}
