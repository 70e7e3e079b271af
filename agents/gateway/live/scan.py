"""Looking into a topic: a bounded walk through its log, oldest or newest first, that says when there is more to see."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Literal

import orjson
from aiokafka.structs import ConsumerRecord

from agents.gateway.live.listener import Sees
from agents.gateway.live.positions import LogPosition, log_id_of
from agents.gateway.live.readers import LogReaders
from agents.gateway.live.record_json import ReadRecord, RecordReader, json_bytes, text_of
from schemas.catalogue import Topic
from schemas.registries.registry import SchemaRegistry
from streams.engine.batch import TopicPartition
from streams.errors import RecordFault, Unavailable
from streams.kafka.log_reader import LogReader
from streams.kafka.producer import partition_of
from streams.kafka.topic_ids import TopicNow

MAX_SCANNED = 20_000
MAX_BYTES = 32 * 2**20
MAX_S = 2.0
FIRST_WINDOW = 64
LAST_WINDOW = 1_024
WINDOW_BYTES = 4 * 2**20  # of all partitions together

Stop = Literal["limit", "records", "bytes", "time"]
Span = tuple[int, int]
"""The first offset and the one behind the last."""


class LogChanged(RecordFault):
    """A walk can't go on where its cursor says: the topic was made again since."""


@dataclass(frozen=True, slots=True)
class Look:
    """What is looked for in a topic: a part of its log, and what of it counts. `contains` is text of key or value."""

    topic: Topic
    sees: Sees
    limit: int
    partition: int | None = None
    offset: int | None = None
    since_ms: int | None = None
    until_ms: int | None = None
    key: bytes | None = None
    persona_id: str | None = None
    contains: str | None = None
    newest_first: bool = False
    shown: Callable[[str], str] | None = None  # takes out what is not for the reader, who could search for it else

    def fits(self, record: ReadRecord) -> bool:
        """Tell whether a record is looked for, and may be seen."""
        at_ms = record.raw.timestamp
        return (
            self.persona_id in (None, record.persona_id)
            and (self.key is None or record.raw.key == self.key)
            and (self.since_ms is None or at_ms >= self.since_ms)
            and (self.until_ms is None or at_ms < self.until_ms)
            and self.sees(self.topic.name, record.persona_id)
            and (self.contains is None or self._contains(record, self.contains))
        )

    def _contains(self, record: ReadRecord, wanted: str) -> bool:
        told = [text_of(record.raw.key), record.value, record.error, record.raw.value if record.error else None]
        text = json_bytes(told).decode()
        text = text if self.shown is None else self.shown(text)
        return orjson.dumps(wanted)[1:-1].decode().casefold() in text.casefold()


@dataclass(frozen=True, slots=True)
class Found:
    """What was found in `scanned` records; `goes_on` is where the next look begins, None where all was seen.

    `stopped` says why it ended before that: the page is full, or one of the bounds of a single look.
    """

    records: Sequence[ReadRecord]
    scanned: int
    goes_on: LogPosition | None
    stopped: Stop | None


class TopicScan:
    """Look into topics."""

    def __init__(self, readers: LogReaders, registry: SchemaRegistry) -> None:
        self._readers = readers
        self._registry = registry

    async def look(self, look: Look, resume: LogPosition | None) -> Found:
        """Return what a look finds, from its beginning or from where an earlier one ended.

        Raises:
            LogChanged: the topic was made again since the earlier look.
            RecordFault: there is no such partition.
            Unavailable: Kafka or the registry does not answer, or there is no such topic.
        """
        async with self._readers.reader() as reader:
            now = (await reader.topics_now([look.topic.name])).get(look.topic.name)
            if now is None:
                raise Unavailable(f"Kafka has no topic {look.topic.name}; run `threads-agent topics create`")
            if resume is not None and not resume.is_of(log_id_of(now.topic_id)):
                raise LogChanged(f"{look.topic.name} was deleted and made again since; look again without the cursor")
            spans = await _spans(reader, look, _partitions(look, now), resume)
            walk = _Walk(reader, RecordReader(look.topic, self._registry), spans, look)
            return await _found(walk, look, log_id_of(now.topic_id), now.partitions)


async def _found(walk: _Walk, look: Look, log_id: str, partitions: int) -> Found:
    records: list[ReadRecord] = []
    scanned, ends_s = 0, time.monotonic() + MAX_S
    stopped: Stop | None = None
    while stopped is None and (record := await walk.next(ends_s)) is not None:
        scanned += 1
        if look.fits(record):
            records.append(record)
        if len(records) == look.limit:
            stopped = "limit"
        elif scanned >= MAX_SCANNED:
            stopped = "records"
        elif walk.size >= MAX_BYTES:
            stopped = "bytes"
    if walk.is_done:
        return Found(records, scanned, None, None)
    return Found(records, scanned, LogPosition(log_id, walk.edges(partitions)), stopped or "time")


class _Walk:
    """The records of spans, by time over all partitions, as far as times grow within each; reads window by window."""

    def __init__(self, reader: LogReader, reading: RecordReader, spans: Mapping[int, Span], look: Look) -> None:
        self._reader = reader
        self._reading = reading
        self._left = dict(spans)  # not read yet
        self._read: dict[int, deque[ReadRecord]] = {partition: deque() for partition in spans}
        self._topic, self._newest_first = look.topic.name, look.newest_first
        self._window = min(max(look.limit, FIRST_WINDOW), LAST_WINDOW) if spans else 0
        self.size = 0

    @property
    def is_done(self) -> bool:
        return not any(self._read.values()) and all(low >= high for low, high in self._left.values())

    async def next(self, ends_s: float) -> ReadRecord | None:
        """Return the next record, None at the end, or where the time is over."""
        while empty := [each for each, (low, high) in self._left.items() if low < high and not self._read[each]]:
            if time.monotonic() > ends_s:
                return None
            await self._load(empty)
        heads = [queue for queue in self._read.values() if queue]
        if not heads:
            return None
        choose = max if self._newest_first else min
        return choose(heads, key=lambda queue: (queue[0].raw.timestamp, queue[0].raw.partition)).popleft()

    def edges(self, partitions: int) -> tuple[int, ...]:
        """Return for each partition of the topic where the next look begins; 0 for those that are not looked at."""
        return tuple(self._edge(each) if each in self._left else 0 for each in range(partitions))

    def _edge(self, partition: int) -> int:
        queue, (low, high) = self._read[partition], self._left[partition]
        if self._newest_first:
            return queue[0].raw.offset + 1 if queue else high
        return queue[0].raw.offset if queue else low

    async def _load(self, partitions: Sequence[int]) -> None:
        """Read the next window of partitions; one in which more bytes are than can be held is read in smaller ones."""
        windows = {each: self._next_window(each) for each in partitions}
        raw = await self._raw({TopicPartition(self._topic, each): span for each, span in windows.items()})
        if raw is None:
            self._window = max(self._window // 8, 1)
            return
        self._window = min(2 * self._window, LAST_WINDOW)
        decoded = await asyncio.to_thread(lambda: [self._reading.read(each) for each in raw])
        for record in reversed(decoded) if self._newest_first else decoded:
            self._read[record.raw.partition].append(record)
        for each, (start, end) in windows.items():
            low, high = self._left[each]
            self._left[each] = (low, start) if self._newest_first else (end, high)

    def _next_window(self, partition: int) -> Span:
        low, high = self._left[partition]
        return (max(high - self._window, low), high) if self._newest_first else (low, min(low + self._window, high))

    async def _raw(self, bounds: Mapping[TopicPartition, Span]) -> Sequence[ConsumerRecord] | None:
        raw: list[ConsumerRecord] = []
        size = 0
        async with aclosing(self._reader.read(bounds)) as blocks:
            async for _, records in blocks:
                raw += records
                size += sum(len(each.value or b"") + len(each.key or b"") for each in records)
                if size > WINDOW_BYTES and self._window > 1:
                    return None
        self.size += size
        return raw


def _partitions(look: Look, now: TopicNow) -> Sequence[int]:
    """Return the partitions to look at: of a key, in a topic that is partitioned by one, its own."""
    if look.partition is not None:
        if look.partition >= now.partitions:
            raise RecordFault(
                f"partition {look.partition} of {look.topic.name}: expected one of 0 to {now.partitions - 1}"
            )
        return [look.partition]
    if look.key is not None and look.topic.key is not None:
        return [partition_of(look.key, now.partitions)]
    return range(now.partitions)


async def _spans(
    reader: LogReader, look: Look, partitions: Sequence[int], resume: LogPosition | None
) -> dict[int, Span]:
    sources = [TopicPartition(look.topic.name, partition) for partition in partitions]
    spans = await reader.whole(sources)
    if look.since_ms is not None:
        starts = await reader.at_time(sources, look.since_ms)
        spans = {each: (_or(starts[each], end), end) for each, (_, end) in spans.items()}
    if look.until_ms is not None:
        ends = await reader.at_time(sources, look.until_ms)
        spans = {each: (start, min(_or(ends[each], end), end)) for each, (start, end) in spans.items()}
    return {each.partition: _cut(look, each.partition, span, resume) for each, span in spans.items()}


def _cut(look: Look, partition: int, span: Span, resume: LogPosition | None) -> Span:
    """Return what of a span is still to be looked at."""
    low, high = span
    if look.offset is not None:
        low, high = (low, min(high, look.offset + 1)) if look.newest_first else (max(low, look.offset), high)
    if resume is not None and partition < len(resume.offsets):
        edge = resume.offsets[partition]
        low, high = (low, min(high, edge)) if look.newest_first else (max(low, edge), high)
    return low, high


def _or(offset: int | None, end: int) -> int:
    return end if offset is None else offset


def headers_of(record: ReadRecord) -> list[dict[str, Any]]:
    """Return the headers of a record in their order; a name may come more than once."""
    return [{"name": text_of(_bytes(name)), "value": text_of(value)} for name, value in record.raw.headers]


def _bytes(name: str | bytes) -> bytes:
    return name.encode(errors="surrogatepass") if isinstance(name, str) else name
