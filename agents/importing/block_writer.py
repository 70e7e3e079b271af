"""Blocks of records to Kafka in whole batches: encoded once, grouped by partition, acknowledged together."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from functools import lru_cache

from aiokafka.partitioner import murmur2

from schemas.catalogue import Topic
from schemas.codec_rows import RowCodec
from schemas.errors import EncodeFault, RegistryUnavailable, UnknownSchema
from schemas.records import Record
from schemas.registry import SchemaRegistry
from streams.errors import RecordFault, Unavailable
from streams.kafka.producer import EventProducer
from streams.kafka.record_size import check_size
from streams.settings import Settings

KEYS_KEPT = 65_536
POSITIVE = 0x7FFFFFFF


class BlockWriter:
    """Collect the encoded records of a block, then append them all, partitioned by key as Kafka's own clients do."""

    def __init__(
        self, producer: EventProducer, registry: SchemaRegistry, settings: Settings, partitions: Mapping[str, int]
    ) -> None:
        """Write through `producer`; `partitions` says how many each topic has."""
        self._producer = producer
        self._codec = RowCodec(registry)
        self._settings = settings
        self._partitions = partitions
        self._waiting: dict[tuple[str, int], list[tuple[bytes, bytes | None]]] = {}

    def add(self, topic: Topic, records: Sequence[Record]) -> None:
        """Encode records for the next `flush`, all of them or, when one is refused, none.

        Raises:
            RecordFault: one does not fit its schema or is too large.
            Unavailable: the registry does not answer, or lacks the schema.
        """
        pairs = []
        for record in records:
            key = str(getattr(record, topic.key or "")).encode()
            try:
                value = self._codec.encode(topic, record)
            except EncodeFault as fault:
                raise RecordFault(str(fault)) from fault
            except (RegistryUnavailable, UnknownSchema) as error:
                raise Unavailable(str(error)) from error
            check_size(topic.name, len(key) + len(value), self._settings)
            pairs.append((key, value))
        for key, value in pairs:
            target = (topic.name, _hash(key) % self._partitions[topic.name])
            self._waiting.setdefault(target, []).append((key, value))

    async def flush(self) -> int:
        """Append what was added and wait for every acknowledgement; return how many records it was.

        Raises:
            Unavailable: the broker does not answer; some may have arrived.
        """
        waiting, self._waiting = self._waiting, {}
        appends = [self._producer.append_raw(topic, number, pairs) for (topic, number), pairs in waiting.items()]
        await asyncio.gather(*appends)
        return sum(map(len, waiting.values()))


@lru_cache(maxsize=KEYS_KEPT)
def _hash(key: bytes) -> int:
    hashed: int = murmur2(key)
    return hashed & POSITIVE
