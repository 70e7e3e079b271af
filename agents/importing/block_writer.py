"""Blocks of events to Kafka in whole batches: encoded by column, grouped by partition, acknowledged together."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from agents.importing.events import EventColumns
from schemas.codec.column_writer import ColumnWriter
from schemas.registries.registry import SchemaRegistry
from streams.engine.batch import TopicPartition
from streams.errors import RecordFault
from streams.kafka.partitioning import partition_of
from streams.kafka.producer import EventProducer, Pair
from streams.kafka.record_size import check_size, record_limit
from streams.schema_faults import schema_faults
from streams.settings import Settings

KEYS_KEPT = 65_536


@dataclass(frozen=True, slots=True)
class EncodedBlock:
    """What a block appends to each partition, and by line the rows that were refused because a record is too large."""

    pairs: Mapping[TopicPartition, Sequence[Pair]]
    refused: Mapping[int, RecordFault]

    @property
    def records(self) -> int:
        """Return how many records it appends."""
        return sum(map(len, self.pairs.values()))

    def of_topic(self, topic: str) -> EncodedBlock:
        """Return what it appends to one topic."""
        pairs = {target: pairs for target, pairs in self.pairs.items() if target.topic == topic}
        return EncodedBlock(pairs, self.refused)


class BlockWriter:
    """Encode events and append them, partitioned by key as Kafka's Java clients do."""

    def __init__(
        self, producer: EventProducer, registry: SchemaRegistry, settings: Settings, partitions: Mapping[str, int]
    ) -> None:
        """Write through `producer`; `partitions` says how many each topic has."""
        self._producer = producer
        self._settings = settings
        self._partitions = partitions
        self._columns = ColumnWriter(registry)

    def encode(self, groups: Sequence[EventColumns]) -> EncodedBlock:
        """Encode the events of a block; where one of a row is too large for its topic, all of the row are left out.

        Raises:
            Unavailable: the registry does not answer.
            SettingsError: the registry lacks a schema.
        """
        encoded = [(each, self._values(each)) for each in groups if each.lines]
        refused: dict[int, RecordFault] = {}
        for events, values in encoded:
            refused |= self._too_large(events, values)
        pairs: dict[TopicPartition, list[Pair]] = {}
        for events, values in encoded:
            name, count = events.topic.name, self._partitions[events.topic.name]
            for key, value, line in zip(events.keys, values, events.lines, strict=True):
                if line not in refused:
                    target, key_bytes = _placed(name, key, count)
                    pairs.setdefault(target, []).append((key_bytes, value))
        return EncodedBlock(pairs, refused)

    async def append(self, block: EncodedBlock) -> None:
        """Append a block and wait for every acknowledgement.

        Raises:
            Unavailable: the broker does not answer; some may have arrived.
        """
        await asyncio.gather(*(self._producer.append_raw(*target, pairs) for target, pairs in block.pairs.items()))

    def _values(self, events: EventColumns) -> list[bytes]:
        with schema_faults():
            return self._columns.encode(events.topic, events.columns)

    def _too_large(self, events: EventColumns, values: Sequence[bytes]) -> dict[int, RecordFault]:
        limit = record_limit(events.topic.name, self._settings)
        if max(map(len, values)) + 4 * max(map(len, events.keys)) <= limit:  # UTF-8 takes 4 bytes a letter at most
            return {}
        faults = {}
        for key, value, line in zip(events.keys, values, events.lines, strict=True):
            try:
                check_size(events.topic.name, len(key.encode()) + len(value), self._settings)
            except RecordFault as fault:
                faults[line] = RecordFault(f"line {line}: {fault}")
        return faults


@lru_cache(maxsize=KEYS_KEPT)
def _placed(topic: str, key: str, partitions: int) -> tuple[TopicPartition, bytes]:
    encoded = key.encode()
    return TopicPartition(topic, partition_of(encoded, partitions)), encoded
