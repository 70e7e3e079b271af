"""A topic of one partition as news: read on from where the last reading ended, through one connection that is kept."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from aiokafka.structs import ConsumerRecord

from schemas.catalogue import Topic
from schemas.codec_rows import RowCodec
from schemas.errors import DecodeFault, RegistryUnavailable
from schemas.records import Record
from schemas.registry import SchemaRegistry
from streams.endpoints import require_kafka
from streams.engine.batch import TopicPartition
from streams.errors import RecordFault, Unavailable
from streams.kafka.log_reader import LogReader
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
    """Entries in the order of the log; `anew` says that they are all there are, not what came since the last time."""

    anew: bool
    entries: Sequence[TailEntry[RecordType]]


class TopicTail(Generic[RecordType]):
    """Read a compacted topic of one partition whole, and then on and on; what can't be decoded is warned of and left.

    Compaction takes tombstones some time after they were written. Who has to know of them all reads anew in time.
    """

    def __init__(self, settings: Settings, registry: SchemaRegistry, topic: Topic, kind: type[RecordType]) -> None:
        """Read `topic`, whose records are of `kind`; nothing is connected yet."""
        self._settings = settings
        self._codec = RowCodec(registry)
        self._topic = topic
        self._kind = kind
        self._source = TopicPartition(topic.name, 0)
        self._reader: LogReader | None = None
        self._position = 0

    async def news(self) -> Sequence[RecordType]:
        """Return the records appended since the last call, up to the end of now, without tombstones.

        Raises:
            Unavailable: Kafka does not answer; the next call connects again.
        """
        entries = (await self.read_on()).entries
        return [entry.record for entry in entries if entry.record is not None]

    async def read_on(self, *, anew: bool = False) -> TailReading[RecordType]:
        """Return what was appended since the last call, tombstones too; all there is where `anew` or a topic made anew.

        Raises:
            Unavailable: Kafka does not answer; the next call connects again.
        """
        reader = await self._connected()
        try:
            if not anew and self._position and await reader.end(self._source) == self._position:
                return TailReading(anew=False, entries=())  # nearly always: one look-up, not two
            first, end = (await reader.whole([self._source]))[self._source]
            anew = anew or end < self._position
            start = first if anew else max(self._position, first)
            entries: list[TailEntry[RecordType]] = []
            async for _, block in reader.read({self._source: (start, end)}):
                entries += self._decoded(block)
        except Unavailable:
            await self.close()
            raise
        self._position = end
        return TailReading(anew, entries)

    async def close(self) -> None:
        """Disconnect; the next call connects again."""
        reader, self._reader = self._reader, None
        if reader is not None:
            await reader.__aexit__(None, None, None)

    async def _connected(self) -> LogReader:
        if self._reader is None:
            self._reader = await LogReader(self._settings, require_kafka(self._settings)).__aenter__()
        return self._reader

    def _decoded(self, block: Sequence[ConsumerRecord]) -> Iterator[TailEntry[RecordType]]:
        for record in block:
            if record.value is None:
                yield TailEntry(record.key, None)
                continue
            try:
                found = self._codec.decode(self._topic, record.value)
                validate(found)
            except (DecodeFault, RecordFault) as fault:
                logger.warning("Passed over offset %d of %s: %s", record.offset, self._topic.name, fault)
                continue
            except RegistryUnavailable as error:
                raise Unavailable(str(error)) from error
            assert isinstance(found, self._kind)
            yield TailEntry(record.key, found)
