"""Topics followed without a consumer group: what was appended since the last look, decoded."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from types import TracebackType
from typing import Self

from aiokafka.structs import ConsumerRecord

from schemas.catalogue import topic_named
from schemas.codec_rows import RowCodec
from schemas.errors import DecodeFault, RegistryUnavailable
from schemas.records import Record
from schemas.registry import SchemaRegistry
from streams.engine.batch import TopicPartition
from streams.errors import Unavailable
from streams.kafka.log_reader import LogReader
from streams.kafka.topics import partition_counts
from streams.settings import Settings

logger = logging.getLogger(__name__)


class TopicTail:
    """Follow some topics; used as an async context. Every call raises Unavailable when the broker is away."""

    def __init__(self, settings: Settings, bootstrap: str, registry: SchemaRegistry, topics: Sequence[str]) -> None:
        """Follow `topics`, from their end at the time the context is entered."""
        self._settings = settings
        self._bootstrap = bootstrap
        self._codec = RowCodec(registry)
        self._topics = topics
        self._reader = LogReader(settings, bootstrap)
        self._positions: dict[TopicPartition, int] = {}

    async def __aenter__(self) -> Self:
        counts = await partition_counts(self._settings, self._bootstrap, self._topics)
        await self._reader.__aenter__()
        sources = [TopicPartition(topic, number) for topic, count in counts.items() for number in range(count)]
        self._positions = {source: end for source, (_, end) in (await self._reader.whole(sources)).items()}
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._reader.__aexit__(kind, error, trace)

    async def newest(self, topic: str, reach: int, per_key: int) -> list[Record]:
        """Return the last `per_key` records of each key among the last `reach` of each partition, oldest first."""
        sources = [source for source in self._positions if source.topic == topic]
        whole = await self._reader.whole(sources)
        bounds = {source: (max(first, end - reach), end) for source, (first, end) in whole.items()}
        kept: dict[bytes | None, list[ConsumerRecord]] = {}
        async for _, block in self._reader.read(bounds):
            for record in block:
                of_key = kept.setdefault(record.key, [])
                of_key.append(record)
                del of_key[:-per_key]
        return self._decoded(record for records in kept.values() for record in records)

    async def news(self) -> list[Record]:
        """Return what came since the last call, up to the end of now; in order within a partition."""
        whole = await self._reader.whole(list(self._positions))
        bounds = {source: (max(self._positions[source], first), end) for source, (first, end) in whole.items()}
        found: list[Record] = []
        async for source, block in self._reader.read(bounds):
            found += self._decoded(block)
            self._positions[source] = block[-1].offset + 1
        self._positions |= {source: end for source, (_, end) in bounds.items()}
        return found

    def _decoded(self, records: Iterable[ConsumerRecord]) -> list[Record]:
        found = []
        for record in records:
            try:
                found.append(self._codec.decode(topic_named(record.topic), record.value))
            except DecodeFault as fault:
                logger.warning("Passed over offset %d of %s: %s", record.offset, record.topic, fault)
            except RegistryUnavailable as error:
                raise Unavailable(str(error)) from error
        return found
