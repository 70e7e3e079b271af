"""A table of what topics say, read whole at first and then kept up with what is appended."""

from __future__ import annotations

import asyncio
import logging
import time
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Generic, Protocol, Self, TypeVar

from schemas.records import Record
from streams.errors import Unavailable

logger = logging.getLogger(__name__)

REREAD_AFTER_S = 12 * 3600.0  # half of delete.retention.ms, for which Kafka keeps tombstones

RecordType = TypeVar("RecordType", bound=Record)
RecordType_co = TypeVar("RecordType_co", bound=Record, covariant=True)


@dataclass(frozen=True, slots=True)
class TailEntry(Generic[RecordType_co]):
    """What was written under a key; None is a tombstone."""

    key: bytes | None
    record: RecordType_co | None


@dataclass(frozen=True, slots=True)
class TailReading(Generic[RecordType_co]):
    """Entries, those of a key in the order of its partition.

    `anew` says that they are what a first reading finds, not what came since the last time.
    """

    anew: bool
    entries: Sequence[TailEntry[RecordType_co]]


class Tail(Protocol[RecordType_co]):
    """Topics, read on from where the last reading ended; topic_tail.py has the real ones."""

    async def read_on(self, *, anew: bool = False) -> TailReading[RecordType_co]:
        """Return what was appended since the last call, all there is where `anew`; `Unavailable` changes nothing."""
        ...

    async def close(self) -> None:
        """Disconnect; a later call of `read_on` connects again."""
        ...


class TailedTable(ABC, Generic[RecordType]):
    """A table that a subclass fills: `put` takes a record over, `drop` lets go of a key.

    Whoever looks into the table calls `refresh` first. What was acknowledged before that call is in it then, and what
    was removed is not, without a restart. Any number of tasks may share a table.

    Compaction takes a tombstone a day after it was written. So after half a day without a reading, or when a topic was
    made anew, all of it is read again, and a key that is not there any more is dropped.
    """

    def __init__(self, tail: Tail[RecordType], monotonic: Callable[[], float] = time.monotonic) -> None:
        """Keep up with a tail; nothing is connected before the first `refresh`."""
        self._tail = tail
        self._monotonic = monotonic
        self._read_at_s = float("-inf")
        self._keys: set[bytes] = set()
        self._lock = asyncio.Lock()

    @abstractmethod
    def put(self, record: RecordType) -> None:
        """Take over a record, also one that came before; raise nothing, warn of what can't be used."""

    def drop(self, key: bytes) -> None:
        """Let go of what was put under a key, if anything was; a table from which nothing is removed needs none."""

    async def refresh(self, *, max_age_s: float = 0.0) -> None:
        """Read the topics up to their present ends, unless that was begun in the last `max_age_s` seconds, or since.

        All who wait for a reading to end are served by the next one.

        Raises:
            Unavailable: they can't be read; the table is as it was.
        """
        good_from_s = self._monotonic() - max_age_s
        async with self._lock:
            if self._read_at_s > good_from_s:
                return
            started_s = self._monotonic()
            self._take(await self._tail.read_on(anew=started_s - self._read_at_s > REREAD_AFTER_S))
            self._read_at_s = started_s

    async def read_once(self) -> Self:
        """Read the topics and disconnect, as commands do; return the table.

        Raises:
            Unavailable: they can't be read.
        """
        try:
            await self.refresh()
        finally:
            await self.close()
        return self

    @asynccontextmanager
    async def kept_up(self, interval_s: float) -> AsyncIterator[None]:
        """Read the topics, and `keep_up` every `interval_s` seconds while the context lasts.

        While the broker is away what is known stays known.

        Raises:
            Unavailable: the topics can't be read at the start.
        """
        await self.refresh()
        keeping = asyncio.create_task(self._keep_up_for_good(interval_s))
        try:
            yield
        finally:
            keeping.cancel()
            await asyncio.gather(keeping, return_exceptions=True)
            await self.close()

    async def keep_up(self) -> None:
        """Do what `kept_up` does each time; raises `Unavailable` as `refresh` does."""
        await self.refresh()

    async def _keep_up_for_good(self, interval_s: float) -> None:
        while True:
            await asyncio.sleep(interval_s)
            try:
                await self.keep_up()
            except Unavailable as error:
                logger.warning("%s may be out of date: %s", type(self).__name__, error)

    async def close(self) -> None:
        """Disconnect; what is known stays known, and a later `refresh` connects again."""
        async with self._lock:
            await self._tail.close()

    def _take(self, reading: TailReading[RecordType]) -> None:
        standing = set[bytes]() if reading.anew else self._keys
        for entry in reading.entries:
            key = entry.key or b""
            if entry.record is None:
                self.drop(key)
                standing.discard(key)
            else:
                self.put(entry.record)
                standing.add(key)
        for key in self._keys - standing:
            self.drop(key)
        self._keys = standing
