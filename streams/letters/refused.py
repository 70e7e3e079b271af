"""Which records of its partitions a consumer refused, as its letters say."""

from __future__ import annotations

import asyncio
import io
import logging
import time
from array import array
from collections import defaultdict
from collections.abc import Sequence
from contextlib import aclosing
from functools import cache
from typing import Any

import fastavro
from aiokafka.structs import ConsumerRecord

from schemas.codec.wire_format import HEADER_BYTES
from schemas.definitions import definition
from schemas.records import DeadLetter
from streams.engine.batch import TopicPartition
from streams.kafka.cluster import Cluster
from streams.kafka.log_reader import LogReader
from streams.kafka.record_size import DEAD_LETTERS

LOG = TopicPartition(DEAD_LETTERS, 0)
SLOW_S = 1.0
FIRST_FIELDS = (
    "event_id", "occurred_at", "consumer", "source_topic", "source_partition", "source_offset", "source_timestamp",
)  # fmt: skip
logger = logging.getLogger(__name__)


class RefusedRecords:
    """The records that a consumer refused, of all partitions; letters are read once, then those that came since.

    Of a letter its record's offset and time are kept, 16 bytes. Only letters in whose bytes the consumer's name stands,
    as Avro writes texts, are decoded. One reads at a time, the others have its answer.
    """

    def __init__(self, cluster: Cluster, consumer: str) -> None:
        self._cluster = cluster
        self._consumer = consumer
        self._places: defaultdict[TopicPartition, tuple[array[int], array[int]]] = defaultdict(_no_places)
        self._known: tuple[int, int] | None = None  # the offsets of dead.letters that were read: first, behind the last
        self._lock = asyncio.Lock()

    async def of(self, source: TopicPartition, since_ms: int) -> set[tuple[int, int]]:
        """Return offset and time (epoch milliseconds) of the records whose letters were written at `since_ms` or later.

        Those of earlier ones may be among them. The records' own times may be of any age: a producer says them.

        Raises:
            Unavailable: the broker or dead.letters is away.
        """
        async with self._lock:
            await self._read(since_ms)
        offsets, times = self._places[source]
        return set(zip(offsets, times, strict=True))

    async def _read(self, since_ms: int) -> None:
        began, found = time.monotonic(), 0
        async with LogReader(self._cluster) as reader:
            first, end = (await reader.whole([LOG]))[LOG]
            start = (await reader.at_time([LOG], since_ms))[LOG] if since_ms > 0 else first
            start = end if start is None else start
            for part in self._unread(start, end):
                async with aclosing(reader.read({LOG: part})) as blocks:
                    async for _, records in blocks:
                        found += len(records)
                        self._take(records)
        if time.monotonic() - began > SLOW_S:
            logger.info("Looked through %d dead letters for those of %s", found, self._consumer)

    def _unread(self, start: int, end: int) -> Sequence[tuple[int, int]]:
        """Return the ranges of dead.letters to read, and count them as read."""
        if self._known is None or end < self._known[1]:  # nothing yet, or another log
            self._places.clear()
            self._known = start, end
            return [(start, end)]
        first, behind = self._known
        self._known = min(start, first), end
        return [each for each in ((start, first), (behind, end)) if each[0] < each[1]]

    def _take(self, records: Sequence[ConsumerRecord]) -> None:
        name = self._consumer.encode()
        for value in [each.value for each in records if each.value and name in each.value]:
            found = beginning_of(value)
            if found is not None and found["consumer"] == self._consumer:
                offsets, times = self._places[TopicPartition(found["source_topic"], found["source_partition"])]
                offsets.append(found["source_offset"])
                times.append(found["source_timestamp"])


def beginning_of(value: bytes) -> dict[str, Any] | None:
    """Return the first fields of a letter, moments as milliseconds; None where it is none.

    A fifth of the time that a whole letter takes. Every version of the schema begins with these fields.
    """
    body = io.BytesIO(value)
    body.seek(HEADER_BYTES)
    try:
        found = fastavro.schemaless_reader(body, _beginning(), None)
    except Exception:  # noqa: BLE001 - the bytes are anything, and may fail in any way
        return None
    assert isinstance(found, dict)
    return found


@cache
def _beginning() -> Any:  # noqa: ANN401 - fastavro's parsed schemas are untyped
    schema = definition(DeadLetter.schema_name)
    fields = schema["fields"][: len(FIRST_FIELDS)]
    return fastavro.parse_schema({**schema, "fields": [{**each, "type": _plain(each["type"])} for each in fields]})


def _plain(kind: Any) -> Any:  # noqa: ANN401 - an Avro type as JSON
    return kind["type"] if isinstance(kind, dict) else kind


def _no_places() -> tuple[array[int], array[int]]:
    return array("q"), array("q")
