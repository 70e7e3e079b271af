"""The one producer: idempotent, acks=all, with a bound on every wait."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaTimeoutError
from aiokafka.structs import RecordMetadata

from schemas.catalogue import Topic, topic_named
from schemas.codec_rows import RowCodec
from schemas.errors import EncodeFault, RegistryUnavailable
from schemas.records import Record
from schemas.registry import SchemaRegistry
from streams.engine.stage import Output
from streams.errors import RecordFault, Unavailable
from streams.kafka.connection import client_options, compression
from streams.kafka.faults import CLIENT_ERRORS, translated, translating
from streams.kafka.record_size import DEAD_LETTERS, batch_limit, check_size
from streams.settings import Settings

MAX_BATCH_BYTES = 256 * 2**10
CHUNK_RECORDS = 5_000  # records awaited together; the time-out is for each chunk

Headers = Sequence[tuple[str, bytes]]
Pair = tuple[bytes, bytes | None]


@dataclass(frozen=True, slots=True)
class _Encoded:
    topic: str
    key: bytes | None
    value: bytes | None
    partition: int | None
    headers: Headers = ()


class EventProducer:
    """Append records to topics.

    A record is durable when its future (or the call that waits) returns: all in-sync replicas have it. Between failures
    nothing is written twice; after `Unavailable` it is unknown whether the records arrived, and the caller sends them
    again, so records have deterministic ids. One producer keeps the order of what one task sends to a partition.
    """

    def __init__(self, bootstrap: str, registry: SchemaRegistry, settings: Settings) -> None:
        self._bootstrap = bootstrap
        self._settings = settings
        self._codec = RowCodec(registry)
        self._client: AIOKafkaProducer | None = None
        self._connecting = asyncio.Lock()

    @property
    def bootstrap(self) -> str:
        """Return the bootstrap servers."""
        return self._bootstrap

    async def start(self) -> None:
        """Connect; later calls connect by themselves after a failure.

        Raises:
            Unavailable: no broker answers within the io time-out.
        """
        await self._connected()

    async def stop(self) -> None:
        """Wait for what is under way, at most one io time-out, and disconnect."""
        client, self._client = self._client, None
        if client is None:
            return
        try:
            async with asyncio.timeout(self._settings.io_timeout_s):
                await client.stop()
        except CLIENT_ERRORS:
            await _abandon(client)

    async def send(self, topic_name: str, record: Record, *, partition: int | None = None) -> Awaitable[RecordMetadata]:
        """Encode and queue a record; return the future of its acknowledgement.

        Raises:
            RecordFault: the record does not fit its schema or is too large.
            Unavailable: no broker, no registry, or the queue stays full for the io time-out.
        """
        encoded = self._encoded(topic_named(topic_name), record, partition)
        client = await self._connected()
        with translating(f"appending to {topic_name}", self._bootstrap):
            return await self._queue(client, encoded)

    async def send_raw(
        self,
        topic: str,
        key: bytes | None,
        value: bytes | None,
        headers: Headers = (),
        partition: int | None = None,
    ) -> RecordMetadata:
        """Append bytes as they are and wait for the acknowledgement; raises as `append_all` does."""
        return (await self._append([_Encoded(topic, key, value, partition, headers)]))[0]

    async def append_all(self, outputs: Iterable[Output]) -> None:
        """Append records in order and wait until all are acknowledged.

        Raises:
            RecordFault: one of them does not fit its schema or is too large; none was sent.
            Unavailable: the broker or the registry is away; some may have been written, send all again.
        """
        encoded = [self._encoded(topic_named(each.topic), each.record, each.partition) for each in outputs]
        for begin in range(0, len(encoded), CHUNK_RECORDS):
            await self._append(encoded[begin : begin + CHUNK_RECORDS])

    async def append_raw(self, topic: str, partition: int, pairs: Sequence[Pair]) -> int:
        """Append (key, value) pairs to one partition in whole batches; None as value is a tombstone.

        Returns the offset of the last pair, -1 where there are none, once all are acknowledged.

        Raises:
            RecordFault: a pair is too large; none was sent.
            Unavailable: the broker is away; some may have been written, send all again.
        """
        for key, value in pairs:
            if len(key) + len(value or b"") > MAX_BATCH_BYTES:
                check_size(topic, len(key) + len(value or b""), self._settings)
        client = await self._connected()
        waiting: list[tuple[asyncio.Future[RecordMetadata], int]] = []
        doing = f"appending to partition {partition} of {topic}"
        try:
            rest = iter(pairs)
            pair = next(rest, None)
            while pair is not None:
                batch = client.create_batch()
                now_ms = time.time_ns() // 1_000_000
                while pair is not None and batch.append(timestamp=now_ms, key=pair[0], value=pair[1]) is not None:
                    pair = next(rest, None)
                count = batch.record_count()
                waiting.append((await client.send_batch(batch, topic, partition=partition), count))
        except CLIENT_ERRORS as error:
            await self._drop(client)
            raise translated(error, doing, self._bootstrap) from error
        results = await self._acknowledged([future for future, _ in waiting], client, doing)
        return max((meta.offset + count - 1 for meta, (_, count) in zip(results, waiting, strict=True)), default=-1)

    def _encoded(self, topic: Topic, record: Record, partition: int | None) -> _Encoded:
        try:
            value = self._codec.encode(topic, record)
        except EncodeFault as fault:
            raise RecordFault(str(fault)) from fault
        except RegistryUnavailable as error:
            raise Unavailable(str(error)) from error
        key = None if topic.key is None else str(getattr(record, topic.key)).encode()
        check_size(topic.name, len(value) + len(key or b""), self._settings)
        return _Encoded(topic.name, key, value, partition)

    async def _queue(self, client: AIOKafkaProducer, each: _Encoded) -> asyncio.Future[RecordMetadata]:
        headers = list(each.headers)
        queued: asyncio.Future[RecordMetadata] = await client.send(
            each.topic, each.value, key=each.key, partition=each.partition, headers=headers
        )
        return queued

    async def _append(self, encoded: Sequence[_Encoded]) -> list[RecordMetadata]:
        client = await self._connected()
        doing = f"appending to {', '.join(sorted({each.topic for each in encoded}))}"
        try:
            async with asyncio.timeout(self._settings.io_timeout_s):
                futures = [await self._queue(client, each) for each in encoded]
        except (TimeoutError, KafkaTimeoutError) as error:
            raise translated(error, doing, self._bootstrap) from error
        except CLIENT_ERRORS as error:
            await self._drop(client)
            raise translated(error, doing, self._bootstrap) from error
        return await self._acknowledged(futures, client, doing)

    async def _acknowledged(
        self, futures: Sequence[asyncio.Future[RecordMetadata]], client: AIOKafkaProducer, doing: str
    ) -> list[RecordMetadata]:
        """Wait for acknowledgements. A time-out keeps the client, whose retries keep the order; an error ends it."""
        if not futures:
            return []
        done, pending = await asyncio.wait(futures, timeout=self._settings.io_timeout_s)
        errors = [error for future in done if (error := future.exception()) is not None]
        if errors:
            await self._drop(client)
            raise translated(errors[0], doing, self._bootstrap) from errors[0]
        if pending:
            for future in pending:
                future.cancel()
            error = TimeoutError(f"{len(pending)} acknowledgements missing after {self._settings.io_timeout_s:g} s")
            raise translated(error, doing, self._bootstrap) from error
        return [future.result() for future in futures]

    async def _connected(self) -> AIOKafkaProducer:
        async with self._connecting:
            if self._client is None:
                client = AIOKafkaProducer(**self._options())
                try:
                    async with asyncio.timeout(self._settings.io_timeout_s):
                        await client.start()
                except CLIENT_ERRORS as error:
                    await _abandon(client)
                    raise translated(error, "connecting a producer", self._bootstrap) from error
                self._client = client
            return self._client

    async def _drop(self, client: AIOKafkaProducer) -> None:
        """Give up a client after an error: its sequence numbers may be off. The next call connects afresh."""
        if self._client is client:
            self._client = None
            await _abandon(client)

    def _options(self) -> dict[str, Any]:
        return {
            **client_options(self._settings, self._bootstrap),
            "acks": "all",
            "enable_idempotence": True,
            "compression_type": compression(),
            "max_batch_size": MAX_BATCH_BYTES,
            "max_request_size": batch_limit(DEAD_LETTERS, self._settings),
        }


async def _abandon(client: AIOKafkaProducer) -> None:
    """Close a client without waiting for what it still has to send, which its own `stop` would do without end."""
    client._closed = True  # noqa: SLF001 - aiokafka has no public way to give up pending batches
    await client._sender.close()  # noqa: SLF001
    client._message_accumulator.fail_all(ConnectionError("the producer was given up after an error"))  # noqa: SLF001
    await client.client.close()
