"""The one producer: idempotent, acks=all, with a bound on every wait; many small records go as whole batches."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from types import TracebackType
from typing import Any, NamedTuple, Self

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaTimeoutError, UnknownTopicOrPartitionError
from aiokafka.partitioner import DefaultPartitioner
from aiokafka.structs import RecordMetadata

from schemas.catalogue import Topic, topic_named
from schemas.codec.column_encoder import Constant
from schemas.codec.column_writer import ColumnWriter
from schemas.codec.rows import RowCodec
from schemas.records import Record
from schemas.registries.registry import SchemaRegistry
from streams.engine.batch import TopicPartition
from streams.engine.stage import Output, OutputColumns
from streams.kafka.cluster import CLIENT_ERRORS, Cluster, translated
from streams.kafka.record_size import check_size, greatest_batch
from streams.validation import schema_faults

REMEMBERED_KEYS = 100_000

_partitioner = DefaultPartitioner()
MAX_BATCH_BYTES = 256 * 2**10
PATIENCE = 1.5  # times the client's own time-out, whose error tells more; a client that was closed tells nothing
Headers = Sequence[tuple[str, bytes]]
Pair = tuple[bytes | None, bytes | None]
"""Key and value; a value of None is a tombstone."""


@lru_cache(maxsize=REMEMBERED_KEYS)
def partition_of(key: bytes, partitions: int) -> int:
    """Return the partition of a key in a topic with this many partitions."""
    everywhere = list(range(partitions))
    return int(_partitioner(key, everywhere, everywhere))


def any_partition(partitions: int) -> int:
    """Return some partition, for records without a key."""
    return random.randrange(partitions)  # noqa: S311 - spreads load, guards nothing


@dataclass(frozen=True, slots=True)
class QueuedBatch:
    """A batch on its way; `acknowledged` gives the offset of its first record."""

    acknowledged: asyncio.Future[RecordMetadata]
    count: int


async def queue_batches(
    client: AIOKafkaProducer, target: TopicPartition, pairs: Iterable[tuple[bytes | None, bytes | None]], wait_s: float
) -> AsyncIterator[QueuedBatch]:
    """Cut pairs into batches of the client's size and queue each, waiting while the one before is not yet sent.

    Raises:
        TimeoutError: a batch could not be queued within `wait_s`: also a client that was closed meanwhile says nothing.
        UnknownTopicOrPartitionError: there is no such partition.
    """
    async with asyncio.timeout(wait_s):
        await know_partition(client, target.topic, target.partition)
    now_ms = time.time_ns() // 1_000_000
    rest = iter(pairs)
    pair = next(rest, None)
    while pair is not None:
        batch = client.create_batch()
        while pair is not None and batch.append(timestamp=now_ms, key=pair[0], value=pair[1]) is not None:
            pair = next(rest, None)
        batch.close()
        count = batch.record_count()
        async with asyncio.timeout(wait_s):
            acknowledged = await client.send_batch(batch, target.topic, partition=target.partition)
        yield QueuedBatch(acknowledged, count)


async def know_partition(client: AIOKafkaProducer, topic: str, partition: int | None) -> None:
    """Have a client learn of a partition that its topic got after the client has looked; None is any partition.

    Raises:
        UnknownTopicOrPartitionError: there is no such partition.
    """
    if partition is None or partition in await client.partitions_for(topic):
        return
    for _ in range(2):  # the first may join an update that was asked for before the partition was there
        await client.client.force_metadata_update()
        if partition in await client.partitions_for(topic):
            return
    raise UnknownTopicOrPartitionError(f"{topic} has no partition {partition}")


class _Encoded(NamedTuple):
    topic: str
    key: bytes | None
    value: bytes
    partition: int | None


class EventProducer:
    """Append records to topics.

    A record is durable when its future (or the call that waits) returns: all in-sync replicas have it. Between failures
    nothing is written twice; after `Unavailable` it is unknown whether the records arrived, and the caller sends them
    again, so records have deterministic ids. One producer keeps the order of what one task sends to a partition.
    """

    def __init__(self, cluster: Cluster, registry: SchemaRegistry) -> None:
        self._cluster = cluster
        self._settings = cluster.settings
        self._codec = RowCodec(registry)
        self._columns = ColumnWriter(registry)
        self._client: AIOKafkaProducer | None = None
        self._connecting = asyncio.Lock()
        self._patience_s = PATIENCE * cluster.settings.io_timeout_s

    async def start(self) -> None:
        """Connect; later calls connect by themselves after a failure.

        Raises:
            Unavailable: no broker answers within the io time-out.
        """
        await self._connected()

    async def __aenter__(self) -> Self:
        """Return it; it connects with the first record, or by `start`."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def stop(self) -> None:
        """Wait for what is under way, at most one io time-out, and disconnect."""
        client, self._client = self._client, None
        if client is None:
            return
        try:
            async with asyncio.timeout(self._settings.io_timeout_s):
                await client.stop()
        except CLIENT_ERRORS:
            await abandon(client)

    async def send(
        self, topic_name: str, record: Record, *, partition: int | None = None
    ) -> asyncio.Future[RecordMetadata]:
        """Encode and queue a record; return the future of its acknowledgement, for `acknowledged`.

        Raises:
            RecordFault: the record does not fit its schema or is too large.
            Unavailable: no broker, no registry, or the queue stays full for the io time-out.
        """
        each = self._encoded(topic_named(topic_name), record, partition)
        client = await self._connected()
        async with self._cluster.exchange(f"appending to {topic_name}", self._patience_s):
            await know_partition(client, topic_name, partition)
            queued: asyncio.Future[RecordMetadata] = await client.send(
                topic_name, each.value, key=each.key, partition=partition
            )
        return queued

    async def acknowledged(self, queued: Sequence[asyncio.Future[RecordMetadata]]) -> list[RecordMetadata]:
        """Wait until records queued by `send` are durable; raises as `append_all` does."""
        return await self._acknowledged(queued, await self._connected(), "appending") if queued else []

    async def send_raw(
        self,
        topic: str,
        key: bytes | None,
        value: bytes | None,
        headers: Headers = (),
        partition: int | None = None,
    ) -> RecordMetadata:
        """Append bytes as they are, garbage and tombstones too, and wait for the acknowledgement.

        Raises:
            RecordFault: the broker refuses the record as too large.
            Unavailable: no broker, or no acknowledgement within the io time-out.
        """
        client = await self._connected()
        doing = f"appending to {topic}"
        async with self._cluster.exchange(doing, self._patience_s):
            await know_partition(client, topic, partition)
            queued = await client.send(topic, value, key=key, partition=partition, headers=list(headers))
        return (await self._acknowledged([queued], client, doing))[0]

    async def append_all(self, outputs: Iterable[Output | OutputColumns]) -> None:
        """Append records in order and wait until all are acknowledged.

        Raises:
            RecordFault: one of them does not fit its schema or is too large; none was sent.
            Unavailable: the broker or the registry is away; some may have been written, send all again.
        """
        encoded = [each for output in outputs for each in self._encoded_all(output)]
        if encoded:
            await self._append(await self._by_partition(encoded))

    async def append_raw(self, topic: str, partition: int, pairs: Sequence[Pair]) -> int:
        """Append pairs to one partition in whole batches; return the offset of the last, -1 where there are none.

        Raises:
            RecordFault: a pair is too large; none was sent.
            Unavailable: the broker is away; some may have been written, send all again.
        """
        for key, value in pairs:
            size = len(key or b"") + len(value or b"")
            if size > MAX_BATCH_BYTES:
                check_size(topic, size, self._settings)
        return await self._append({TopicPartition(topic, partition): pairs}) if pairs else -1

    def _encoded_all(self, output: Output | OutputColumns) -> list[_Encoded]:
        topic = topic_named(output.topic)
        if isinstance(output, Output):
            return [self._encoded(topic, output.record, output.partition)]
        with schema_faults():
            values = self._columns.encode(topic, output.columns)
        column = output.columns[topic.key or ""]
        assert not isinstance(column, Constant), f"expected a column of keys for {topic.name}, got one value for all"
        keys = [key.encode() for key in column]
        for key, value in zip(keys, values, strict=True):
            check_size(topic.name, len(value) + len(key), self._settings)
        return [_Encoded(topic.name, key, value, None) for key, value in zip(keys, values, strict=True)]

    def _encoded(self, topic: Topic, record: Record, partition: int | None) -> _Encoded:
        with schema_faults():
            value = self._codec.encode(topic, record)
        key = None if topic.key is None else str(getattr(record, topic.key)).encode()
        check_size(topic.name, len(value) + len(key or b""), self._settings)
        return _Encoded(topic.name, key, value, partition)

    async def _by_partition(self, encoded: Iterable[_Encoded]) -> dict[TopicPartition, list[Pair]]:
        """Group records by the partition they go to, in order; those without a key go to one partition together."""
        groups: dict[TopicPartition, list[Pair]] = {}
        counts: dict[str, int] = {}
        keyless: dict[str, int] = {}
        for each in encoded:
            if each.topic not in counts:
                counts[each.topic] = await self._partition_count(each.topic)
                keyless[each.topic] = any_partition(counts[each.topic])
            partition = each.partition
            if partition is None:
                partition = partition_of(each.key, counts[each.topic]) if each.key else keyless[each.topic]
            groups.setdefault(TopicPartition(each.topic, partition), []).append((each.key, each.value))
        return groups

    async def _partition_count(self, topic: str) -> int:
        client = await self._connected()
        async with self._cluster.exchange(f"looking up the partitions of {topic}"):
            return len(await client.partitions_for(topic))

    async def _append(self, groups: Mapping[TopicPartition, Sequence[Pair]]) -> int:
        """Append the pairs of each partition, wait for all acknowledgements, and return the greatest offset."""
        client = await self._connected()
        doing = f"appending to {', '.join(sorted({target.topic for target in groups}))}"
        queued: list[QueuedBatch] = []
        try:
            for target, pairs in groups.items():
                async for batch in queue_batches(client, target, pairs, self._patience_s):
                    queued.append(batch)  # noqa: PERF401 - what is queued before an error must be known
        except (TimeoutError, KafkaTimeoutError) as error:
            raise translated(error, doing, self._cluster.bootstrap) from error
        except CLIENT_ERRORS as error:
            await self._drop(client)
            raise translated(error, doing, self._cluster.bootstrap) from error
        results = await self._acknowledged([batch.acknowledged for batch in queued], client, doing)
        return max(int(result.offset) + batch.count - 1 for result, batch in zip(results, queued, strict=True))

    async def _acknowledged(
        self, futures: Sequence[asyncio.Future[RecordMetadata]], client: AIOKafkaProducer, doing: str
    ) -> list[RecordMetadata]:
        """Wait for acknowledgements. A time-out keeps the client, whose retries keep the order; an error ends it."""
        done, pending = await asyncio.wait(futures, timeout=self._settings.io_timeout_s)
        errors = [error for future in done if (error := future.exception()) is not None]
        if errors:
            await self._drop(client)
            raise translated(errors[0], doing, self._cluster.bootstrap) from errors[0]
        if pending:
            for future in pending:
                future.cancel()
            error = TimeoutError(f"{len(pending)} acknowledgements missing after {self._settings.io_timeout_s:g} s")
            raise translated(error, doing, self._cluster.bootstrap) from error
        return [future.result() for future in futures]

    async def _connected(self) -> AIOKafkaProducer:
        async with self._connecting:
            if self._client is None:
                client = AIOKafkaProducer(**producer_options(self._cluster))
                try:
                    async with asyncio.timeout(self._settings.io_timeout_s):
                        await client.start()
                except CLIENT_ERRORS as error:
                    await abandon(client)
                    raise translated(error, "connecting a producer", self._cluster.bootstrap) from error
                self._client = client
            return self._client

    async def _drop(self, client: AIOKafkaProducer) -> None:
        """Give up a client after an error: its sequence numbers may be off. The next call connects afresh."""
        if self._client is client:
            self._client = None
            await abandon(client)


def producer_options(cluster: Cluster) -> dict[str, Any]:
    """Return the keyword arguments of every producer: idempotent, acks=all, as large as any topic takes."""
    return {
        **cluster.client_options(),
        "acks": "all",
        "enable_idempotence": True,
        "compression_type": None if cluster.settings.compression == "none" else cluster.settings.compression,
        "max_batch_size": MAX_BATCH_BYTES,
        "max_request_size": greatest_batch(cluster.settings),
    }


async def abandon(client: AIOKafkaProducer) -> None:
    """Close a client without waiting for what it still has to send, which its own `stop` would do without end."""
    client._closed = True  # noqa: SLF001 - aiokafka has no public way to give up pending batches
    await client._sender.close()  # noqa: SLF001
    client._message_accumulator.fail_all(ConnectionError("the producer was given up after an error"))  # noqa: SLF001
    await client.client.close()
    metadata = client.client._md_update_fut  # noqa: SLF001
    if metadata is not None and not metadata.done():  # another task may wait for it, and nobody would tell it
        metadata.set_exception(ConnectionError("the producer was given up after an error"))
        metadata.exception()
