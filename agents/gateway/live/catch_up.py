"""Catching up: what a listener missed is read from the log, piece by piece, until the ring has what comes next."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import aclosing
from dataclasses import dataclass, field

from aiokafka.structs import ConsumerRecord

from agents.gateway.live.positions import log_id_of
from agents.gateway.live.readers import LogReaders
from agents.gateway.live.record_json import RecordReader
from agents.gateway.live.ring import Entry, Gap, LiveRecord, Ring
from schemas.catalogue import topic_named
from schemas.registries.registry import SchemaRegistry
from streams.engine.batch import TopicPartition
from streams.errors import Unavailable
from streams.kafka.log_reader import LogReader

KEPT_PIECES = 64
READ_BYTES = 512 * 2**10
PIECE_BYTES = 32 * 2**10  # a listener that never reads holds one piece

Starts = Mapping[int, int]
"""For each partition the offset from which something is missing."""

Life = tuple[str, str, int]
"""A topic, its log, and how often its ring began: a log that was cut has something else at the same offsets."""


@dataclass(slots=True)
class Piece:
    """What the log of a partition has from `start` up to, not including, `end`."""

    partition: int
    start: int
    end: int
    entries: list[Entry] = field(default_factory=list)

    def serves(self, starts: Starts) -> bool:
        """Tell whether it brings one who misses something from these offsets on further."""
        return self.start <= starts.get(self.partition, -1) < self.end


@dataclass(slots=True)
class _Asked:
    """One who waits for a piece."""

    starts: Starts
    answer: asyncio.Future[Piece]


@dataclass(slots=True)
class _Desk:
    """Who waits for pieces of a log, in the order they came, and the task that reads for them."""

    waiting: list[_Asked] = field(default_factory=list)
    task: asyncio.Task[None] | None = None


class CatchUp:
    """Read pieces for listeners; nobody holds a reader while it sends.

    Of each log one reading runs at a time: from where the one is who waits longest, and for all whose place it comes
    by. So listeners at any number of places cost as many readings as there is log between them, not one each.
    """

    def __init__(self, readers: LogReaders, registry: SchemaRegistry, decoding: Executor) -> None:
        self._readers = readers
        self._registry = registry
        self._decoding = decoding
        self._kept: deque[tuple[Life, Piece]] = deque(maxlen=KEPT_PIECES)
        self._desks: dict[Life, _Desk] = {}

    async def piece(self, ring: Ring, starts: Starts) -> Piece:
        """Return what the log has next of one of these partitions; it may begin earlier than it was asked for.

        Raises:
            Unavailable: Kafka or the registry is away, or the topic is not that log any more.
        """
        life = (ring.topic, ring.log_id, len(ring.beginnings))
        for its_life, piece in self._kept:
            if its_life == life and piece.serves(starts):
                return piece
        desk = self._desks.setdefault(life, _Desk())
        asked = _Asked(starts, asyncio.get_running_loop().create_future())
        desk.waiting.append(asked)
        if desk.task is None:
            desk.task = asyncio.create_task(self._serve(life, desk))
        return await asked.answer

    async def close(self) -> None:
        """End what is being read."""
        tasks = [desk.task for desk in self._desks.values() if desk.task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _serve(self, life: Life, desk: _Desk) -> None:
        """Read until nobody waits for pieces of a log any more."""
        try:
            while desk.waiting:
                first = desk.waiting[0]
                if not first.answer.done():  # else it left meanwhile
                    await self._serve_first(life, desk, first)
                desk.waiting = [each for each in desk.waiting if not each.answer.done()]
        finally:
            del self._desks[life]
            for asked in desk.waiting:
                asked.answer.cancel()

    async def _serve_first(self, life: Life, desk: _Desk, first: _Asked) -> None:
        """Answer the one who waits longest, and all others whom the same reading serves."""
        [pieces] = await asyncio.gather(self._read(life, first.starts), return_exceptions=True)
        if isinstance(pieces, BaseException):
            for asked in _still(desk.waiting):
                asked.answer.set_exception(pieces)
            return
        self._kept.extend((life, piece) for piece in pieces if piece.start < piece.end)
        for asked in _still(desk.waiting):
            if found := next((piece for piece in pieces if piece.serves(asked.starts)), None):
                asked.answer.set_result(found)
        if not first.answer.done():  # it stands at the log's end, or behind it
            first.answer.set_result(next(piece for piece in pieces if piece.partition in first.starts))

    async def _read(self, life: Life, starts: Starts) -> list[Piece]:
        """Return pieces from these offsets on, one after the other, up to READ_BYTES in all; at least one."""
        topic, log_id, _ = life
        async with self._readers.reader() as reader:
            await _require_log(reader, topic, log_id)
            sources = {TopicPartition(topic, partition): start for partition, start in starts.items()}
            logs = await reader.whole(list(sources))
            bounds = {source: _within(start, logs[source]) for source, start in sources.items()}
            raw, is_all = await _fetched(reader, bounds)
            await _require_log(reader, topic, log_id)  # the reader names topics, not their ids
        reading = RecordReader(topic_named(topic), self._registry)
        decode = asyncio.get_running_loop().run_in_executor
        read = await decode(self._decoding, lambda: [reading.read(each).as_live() for each in raw])
        return [
            piece
            for source, start in sources.items()
            for piece in _cut(
                _beginning(source.partition, start, logs[source]),
                (each for each in read if each.partition == source.partition),
                bounds[source][1] if is_all else None,
            )
        ]


def _still(waiting: Iterable[_Asked]) -> Iterator[_Asked]:
    return (asked for asked in waiting if not asked.answer.done())


def _within(start: int, log: tuple[int, int]) -> tuple[int, int]:
    """Return what is to be read of a partition: from the first offset that is there, up to the log's end."""
    first, end = log
    return max(min(start, end), first), end


def _beginning(partition: int, start: int, log: tuple[int, int]) -> Piece:
    """Return a piece that goes on at what is there of a log, and says what is not there any more."""
    at, _ = _within(start, log)
    if start == at:
        return Piece(partition, start, at)
    return Piece(partition, start, at, [Gap(partition, start, at, "retention" if start < at else "truncated")])


def _cut(first: Piece, read: Iterable[LiveRecord], end: int | None) -> list[Piece]:
    """Return pieces of PIECE_BYTES, each from where the one before ends; the last one up to `end` where it is known."""
    pieces, size = [first], 0
    for entry in read:
        if size >= PIECE_BYTES:
            pieces.append(Piece(first.partition, pieces[-1].end, pieces[-1].end))
            size = 0
        pieces[-1].entries.append(entry)
        pieces[-1].end = entry.offset + 1
        size += len(entry.data)
    if end is not None:
        pieces[-1].end = end
    return pieces


async def _fetched(
    reader: LogReader, bounds: Mapping[TopicPartition, tuple[int, int]]
) -> tuple[Sequence[ConsumerRecord], bool]:
    """Return records up to READ_BYTES, and whether they are all that is within bounds."""
    raw: list[ConsumerRecord] = []
    size = 0
    async with aclosing(reader.read(bounds)) as blocks:
        async for _, records in blocks:
            raw += records
            size += sum(len(each.value or b"") + len(each.key or b"") for each in records)
            if size >= READ_BYTES:
                return raw, False
    return raw, True


async def _require_log(reader: LogReader, topic: str, log_id: str) -> None:
    now = (await reader.topics_now([topic])).get(topic)
    if now is None or log_id_of(now.topic_id) != log_id:
        raise Unavailable(f"topic {topic} is gone or was made again; its tail will say so, then ask again")
