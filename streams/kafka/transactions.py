"""Records of several topics written all or none, by one writer at a time: the broker fences the one before.

A writer that begins ends what the one before it of its name left open, also one that was killed: what is committed then
is all there will be of it. Whoever looks into the log after `open` and before writing repeats nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from aiokafka import AIOKafkaProducer
from aiokafka.errors import InvalidProducerEpoch, OutOfOrderSequenceNumber, ProducerFenced
from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.record.default_records import _DefaultRecordBatchBuilderPy
from aiokafka.structs import RecordMetadata

from schemas.records import Header
from streams.errors import ThreadsError
from streams.kafka.cluster import CLIENT_ERRORS, Cluster, translated
from streams.kafka.producer import MAX_BATCH_BYTES, PATIENCE, abandon, know_partition, producer_options
from streams.kafka.record_bytes import name_bytes

OPEN_FOR_MS = 15_000  # then the broker ends a transaction by itself, and consumers behind it go on


class Fenced(ThreadsError):
    """Another writer of the same name has begun; what this one had not committed is undone."""


RecordFuture = asyncio.Future[RecordMetadata]


@dataclass(frozen=True, slots=True)
class RawRecord:
    """A record as bytes; the names of its headers are text as `name_text` gives it."""

    topic: str
    partition: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[Header] = ()
    timestamp_ms: int | None = None


class _Name(str):
    """A header's name that is encoded as its own bytes, which are no UTF-8."""

    __slots__ = ()

    def encode(self, encoding: str = "utf-8", errors: str = "strict") -> bytes:  # noqa: ARG002 - as str has it
        return name_bytes(str(self))


class _AnyNames(BatchBuilder):  # type: ignore[misc]  # aiokafka has no types
    """A batch by the slower of aiokafka's builders: the faster one takes no names of headers but plain text."""

    def __init__(self) -> None:
        super().__init__(MAX_BATCH_BYTES, 0, is_transactional=1)
        self._builder = _DefaultRecordBatchBuilderPy(2, 0, 1, -1, -1, 0, MAX_BATCH_BYTES)

    def _set_producer_state(self, producer_id: int, producer_epoch: int, base_sequence: int) -> None:
        self._builder.set_producer_state(producer_id, producer_epoch, base_sequence)


class TransactionalWriter:
    """The one writer of a name; used as an async context, `open` first."""

    def __init__(self, cluster: Cluster, name: str) -> None:
        self._cluster = cluster
        self._name = name
        self._client: AIOKafkaProducer | None = None
        self._patience_s = PATIENCE * cluster.settings.io_timeout_s

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        client, self._client = self._client, None
        if client is not None:
            await abandon(client)  # what was committed is durable, and nothing else is wanted

    async def open(self) -> None:
        """Take over from the writer before.

        Raises:
            Unavailable: no broker answers within the io time-out.
        """
        client = AIOKafkaProducer(
            **producer_options(self._cluster), transactional_id=self._name, transaction_timeout_ms=OPEN_FOR_MS
        )
        self._client = client
        async with self._exchange("taking over from the writer before"):
            await client.start()

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[None]:
        """Commit what the body writes; where it raises, nothing of it is there.

        Raises:
            Fenced: another writer has begun.
            Unavailable: the broker does not answer: it is unknown whether all of it is there, or nothing.
        """
        client = self._opened()
        async with self._exchange("beginning a transaction"):
            await client.begin_transaction()
        try:
            yield
        except BaseException:
            await self._abort(client)
            raise
        async with self._exchange("committing a transaction"):
            await client.commit_transaction()

    async def write(self, records: Sequence[RawRecord]) -> list[RecordMetadata]:
        """Append records in order, within a transaction, and wait until the broker has them all.

        Raises:
            Fenced: another writer has begun.
            RecordFault: the broker refuses a record as too large.
            Unavailable: the broker does not answer.
        """
        client = self._opened()
        async with self._exchange(f"appending to {', '.join(sorted({each.topic for each in records}))}"):
            queued = [await self._queued(client, each) for each in records]
            done = await asyncio.gather(*queued, return_exceptions=True)
            for each in done:
                if isinstance(each, BaseException):
                    raise each
            return [each for each in done if not isinstance(each, BaseException)]

    async def _queued(self, client: AIOKafkaProducer, record: RawRecord) -> RecordFuture:
        await know_partition(client, record.topic, record.partition)
        if all(name_bytes(each.name) == each.name.encode() for each in record.headers):
            of_record: RecordFuture = await client.send(
                record.topic,
                record.value,
                key=record.key,
                partition=record.partition,
                timestamp_ms=record.timestamp_ms,
                headers=[(each.name, each.value) for each in record.headers],
            )
            return of_record
        batch = _AnyNames()
        headers = [(_Name(each.name), each.value) for each in record.headers]
        batch.append(timestamp=record.timestamp_ms, key=record.key, value=record.value, headers=headers)
        batch.close()
        of_batch: RecordFuture = await client.send_batch(batch, record.topic, partition=record.partition)
        return of_batch

    def _opened(self) -> AIOKafkaProducer:
        assert self._client is not None, "open the writer first"
        return self._client

    async def _abort(self, client: AIOKafkaProducer) -> None:
        """Undo a transaction; where that fails the broker, or the next writer, does it."""
        with suppress(Exception):  # its own error is told already
            async with self._exchange("undoing a transaction"):
                await client.abort_transaction()

    @asynccontextmanager
    async def _exchange(self, doing: str) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(self._patience_s):
                yield
        except (ProducerFenced, InvalidProducerEpoch, OutOfOrderSequenceNumber) as error:
            raise Fenced(
                f"another process writes as {self._name!r} now, or this one was held up for more than "
                f"{OPEN_FOR_MS / 1000:g} s; what is not committed is undone"
            ) from error
        except CLIENT_ERRORS as error:
            raise translated(error, doing, self._cluster.bootstrap) from error
