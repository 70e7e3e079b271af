"""Topics as news: where the first reading begins, then on from where the last one ended, through one connection."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic

from aiokafka.structs import ConsumerRecord

from schemas.catalogue import Topic
from schemas.codec.rows import RowCodec
from schemas.errors import DecodeFault, RegistryUnavailable
from schemas.registries.registry import SchemaRegistry
from streams.engine.batch import TopicPartition
from streams.errors import RecordFault, Unavailable
from streams.kafka.cluster import Cluster
from streams.kafka.log_reader import LogReader
from streams.kafka.tailed_table import RecordType, TailEntry, TailReading
from streams.kafka.topic_ids import TopicNow
from streams.kafka.topics import partition_counts
from streams.validation import validate

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Beginning:
    """The last `reach` records of each partition, and of those the last `per_key` of each key; None is no limit."""

    reach: int | None = None
    per_key: int | None = None

    def start(self, first: int, end: int) -> int:
        """Return the offset to begin at in a log that has records from `first` up to before `end`."""
        return first if self.reach is None else max(first, end - self.reach)


Wanted = Callable[[bytes | None, bytes], bool]
"""Tells by key and encoded value, in which texts stand as they are, whether a record is of interest."""
WHOLE = Beginning()
END = Beginning(reach=0)


class NewestOfKeys:
    """The last records of each key of a topic; within a key they keep the order in which they were taken."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, bytes | None], deque[ConsumerRecord]] = {}

    def take(self, records: Iterable[ConsumerRecord], per_key: int) -> None:
        """Take records in, and let go of those that have `per_key` newer ones of their key."""
        for record in records:
            self._kept.setdefault((record.topic, record.key), deque(maxlen=per_key)).append(record)

    def __iter__(self) -> Iterator[ConsumerRecord]:
        for of_key in self._kept.values():
            yield from of_key


class TopicTail(Generic[RecordType]):
    """Read topics from their beginnings, and then on and on; what can't be decoded is warned of and left.

    Compaction takes tombstones some time after they were written. Who has to know of them all keeps a TailedTable.
    """

    def __init__(
        self,
        cluster: Cluster,
        registry: SchemaRegistry,
        topics: Mapping[Topic, Beginning],
        kind: type[RecordType],
        wanted: Wanted | None = None,
    ) -> None:
        """Read topics whose records are of `kind`; nothing is connected yet.

        Records that are not `wanted` are passed over without being decoded, which is most of the work.
        """
        self._cluster = cluster
        self._codec = RowCodec(registry)
        self._topics = {topic.name: topic for topic in topics}
        self._beginnings = {topic.name: beginning for topic, beginning in topics.items()}
        self._kind = kind
        self._wanted = wanted
        self._reader: LogReader | None = None
        self._sources: Sequence[TopicPartition] = ()
        self._shapes: Mapping[str, TopicNow] = {}
        self._looked_s = 0.0
        self._is_made_again = False  # a topic, since the last reading that succeeded
        self._positions: dict[TopicPartition, int] = {}

    async def news(self) -> Sequence[RecordType]:
        """Return the records appended since the last call, up to the end of now, without tombstones.

        Raises:
            Unavailable: Kafka does not answer; the next call connects again.
        """
        entries = (await self.read_on()).entries
        return [entry.record for entry in entries if entry.record is not None]

    async def read_on(self, *, anew: bool = False) -> TailReading[RecordType]:
        """Return what was appended since the last call, tombstones too.

        It begins again where `anew`, or where a topic was made anew; partitions that a topic got meanwhile are news.

        Raises:
            Unavailable: Kafka does not answer; the next call connects again.
        """
        try:
            reader = await self._take_in_changes(await self._connected())
            reading = await self._read_on(reader, anew=anew)
        except Unavailable:
            await self.close()
            raise
        self._is_made_again = False
        return reading

    async def close(self) -> None:
        """Disconnect; the next call connects again."""
        reader, self._reader = self._reader, None
        if reader is not None:
            await reader.__aexit__(None, None, None)

    async def _connected(self) -> LogReader:
        if self._reader is None:
            counts = await partition_counts(self._cluster, self._topics)
            self._reader = await LogReader(self._cluster).__aenter__()
            now, self._looked_s = await self._reader.topics_now(self._topics), time.monotonic()
            counts = {**counts, **{name: topic.partitions for name, topic in now.items()}}
            self._sources = [
                TopicPartition(topic, number) for topic, count in counts.items() for number in range(count)
            ]
            self._take_shapes(now)
        return self._reader

    async def _take_in_changes(self, reader: LogReader) -> LogReader:
        """Look every few seconds for new partitions, and whether a topic was made again: all of it is news then."""
        if time.monotonic() - self._looked_s < self._cluster.settings.topic_watch_interval_s:
            return reader
        self._looked_s = time.monotonic()
        if await reader.topics_now(self._topics) == self._shapes:
            return reader
        await self.close()
        return await self._connected()

    def _take_shapes(self, now: Mapping[str, TopicNow]) -> None:
        """Compare topics with what they were at the last connection; one that is away may be made again yet."""
        for name, topic in now.items():
            if name in self._shapes and topic.is_another_than(self._shapes[name]):
                self._begin_again(name)
        self._shapes = {**self._shapes, **now}

    def _begin_again(self, topic: str) -> None:
        """Take all that a log holds for news: it is another one than the one that was read."""
        self._is_made_again = True
        for source in [each for each in self._positions if each.topic == topic]:
            self._positions[source] = 0

    async def _read_on(self, reader: LogReader, *, anew: bool) -> TailReading[RecordType]:
        if (
            not (anew or self._is_made_again)
            and self._positions
            and await reader.ends(self._sources) == self._positions
        ):
            return TailReading(anew=False, entries=())  # nearly always: one look-up, not two
        whole = await reader.whole(self._sources)
        for source, (_, end) in whole.items():  # before Kafka 3.1 a topic has no id to tell
            if end < self._positions.get(source, 0):
                self._begin_again(source.topic)
        known = {} if anew else self._positions
        entries: list[TailEntry[RecordType]] = []
        newest = NewestOfKeys()
        bounds = {source: (self._start(source, known, *log), log[1]) for source, log in whole.items()}
        async for source, block in reader.read(bounds):
            per_key = self._beginnings[source.topic].per_key
            if per_key is None or source in known:
                entries += self._decoded(block)
            else:
                newest.take(block, per_key)
        entries += self._decoded(newest)
        self._positions = {source: end for source, (_, end) in whole.items()}
        return TailReading(anew or self._is_made_again, entries)

    def _start(self, source: TopicPartition, known: Mapping[TopicPartition, int], first: int, end: int) -> int:
        if known:  # a partition that is not known was not there when the others were read
            return max(known.get(source, first), first)
        return self._beginnings[source.topic].start(first, end)

    def _decoded(self, records: Iterable[ConsumerRecord]) -> Iterator[TailEntry[RecordType]]:
        for record in records:
            if record.value is None:
                yield TailEntry(record.key, None)
                continue
            if self._wanted is not None and not self._wanted(record.key, record.value):
                continue
            try:
                found = self._codec.decode(self._topics[record.topic], record.value)
                validate(found)
            except (DecodeFault, RecordFault) as fault:
                logger.warning("Passed over offset %d of %s: %s", record.offset, record.topic, fault)
                continue
            except RegistryUnavailable as error:
                raise Unavailable(str(error)) from error
            assert isinstance(found, self._kind)
            yield TailEntry(record.key, found)
