"""Topics as news: read on from where the last reading ended, through one connection that is kept."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

from aiokafka.structs import ConsumerRecord

from schemas.catalogue import Topic
from schemas.codec.rows import RowCodec
from schemas.errors import DecodeFault, RegistryUnavailable
from schemas.records import Record
from schemas.registries.registry import SchemaRegistry
from streams.endpoints import require_kafka
from streams.engine.batch import TopicPartition
from streams.errors import RecordFault, Unavailable
from streams.kafka.beginning import Beginning, NewestOfKeys
from streams.kafka.log_reader import LogReader
from streams.kafka.topic_ids import TopicNow
from streams.kafka.topics import partition_counts
from streams.settings import Settings
from streams.validation import validate

logger = logging.getLogger(__name__)

RecordType = TypeVar("RecordType", bound=Record)


@dataclass(frozen=True, slots=True)
class TailEntry(Generic[RecordType]):
    """What was written under a key; None is a tombstone."""

    key: bytes | None
    record: RecordType | None


@dataclass(frozen=True, slots=True)
class TailReading(Generic[RecordType]):
    """Entries, those of a key in the order of its partition.

    `anew` says that they are what a first reading finds, not what came since the last time.
    """

    anew: bool
    entries: Sequence[TailEntry[RecordType]]


class TopicTail(Generic[RecordType]):
    """Read topics from their beginnings, and then on and on; what can't be decoded is warned of and left.

    Compaction takes tombstones some time after they were written. Who has to know of them all reads anew in time.
    """

    def __init__(
        self,
        settings: Settings,
        registry: SchemaRegistry,
        topics: Mapping[Topic, Beginning],
        kind: type[RecordType],
    ) -> None:
        """Read topics whose records are of `kind`; nothing is connected yet."""
        self._settings = settings
        self._codec = RowCodec(registry)
        self._topics = {topic.name: topic for topic in topics}
        self._beginnings = {topic.name: beginning for topic, beginning in topics.items()}
        self._kind = kind
        self._reader: LogReader | None = None
        self._sources: Sequence[TopicPartition] = ()
        self._shapes: Mapping[str, TopicNow] = {}
        self._looked_s = 0.0
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
            made_again = await self._take_in_changes(await self._connected())
            reading = await self._read_on(await self._connected(), anew=anew)
            return replace(reading, anew=True) if made_again else reading
        except Unavailable:
            await self.close()
            raise

    async def close(self) -> None:
        """Disconnect; the next call connects again."""
        reader, self._reader = self._reader, None
        if reader is not None:
            await reader.__aexit__(None, None, None)

    async def _connected(self) -> LogReader:
        if self._reader is None:
            bootstrap = require_kafka(self._settings)
            counts = await partition_counts(self._settings, bootstrap, self._topics)
            self._sources = [
                TopicPartition(topic, number) for topic, count in counts.items() for number in range(count)
            ]
            self._reader = await LogReader(self._settings, bootstrap).__aenter__()
            self._shapes, self._looked_s = await self._reader.topics_now(self._topics), time.monotonic()
        return self._reader

    async def _take_in_changes(self, reader: LogReader) -> bool:
        """Look every few seconds for new partitions, and whether a topic was made again: all of it is news then."""
        if time.monotonic() - self._looked_s < self._settings.topic_watch_interval_s:
            return False
        before, self._looked_s = self._shapes, time.monotonic()
        if await reader.topics_now(self._topics) == before:
            return False
        await self.close()
        await self._connected()
        again = [name for name, topic in self._shapes.items() if name in before and topic.is_another_than(before[name])]
        for source in self._sources:
            if source.topic in again:
                self._positions[source] = 0
        return bool(again)

    async def _read_on(self, reader: LogReader, *, anew: bool) -> TailReading[RecordType]:
        if not anew and self._positions and await reader.ends(self._sources) == self._positions:
            return TailReading(anew=False, entries=())  # nearly always: one look-up, not two
        whole = await reader.whole(self._sources)
        anew = anew or any(end < self._positions.get(source, 0) for source, (_, end) in whole.items())
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
        return TailReading(anew, entries)

    def _start(self, source: TopicPartition, known: Mapping[TopicPartition, int], first: int, end: int) -> int:
        if known:  # a partition that is not known was not there when the others were read
            return max(known.get(source, first), first)
        return self._beginnings[source.topic].start(first, end)

    def _decoded(self, records: Iterable[ConsumerRecord]) -> Iterator[TailEntry[RecordType]]:
        for record in records:
            if record.value is None:
                yield TailEntry(record.key, None)
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
