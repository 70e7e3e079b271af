"""Writing chunks of events to the job's topic: keyed by persona, in whole batches, each acknowledged."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Self

from aiokafka import AIOKafkaProducer
from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.structs import RecordMetadata

from schemas.catalogue import topic_named
from schemas.codec.wire_format import header
from schemas.registries.known_writers import KnownWriters
from schemas.registries.registry import open_registry
from tests.benchmarks.job import TOPIC, persona_name
from tests.benchmarks.running.avro_values import Chunk

BATCH_BYTES = 512 * 1024
REQUEST_TIMEOUT_MS = 60_000


class TopicWriter:
    """Append events in order, framed; one persona's events go to one partition. Used as an async context.

    Everything is acknowledged when the context ends without an error.
    """

    def __init__(self, bootstrap: str, topic: str, partitions: int) -> None:
        self._topic = topic
        self._partitions = partitions
        self._frame = header(KnownWriters(open_registry(None)).written_id(topic_named(TOPIC)))
        self._keys: dict[int, bytes] = {}
        self._open: dict[int, BatchBuilder] = {}
        self._under_way: dict[int, asyncio.Future[RecordMetadata]] = {}
        self._producer = AIOKafkaProducer(
            bootstrap_servers=bootstrap, acks="all", max_batch_size=BATCH_BYTES, request_timeout_ms=REQUEST_TIMEOUT_MS
        )

    async def __aenter__(self) -> Self:
        await self._producer.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if error is None:
                await self.flush()
        finally:
            await self._producer.stop()

    async def write(self, chunk: Chunk) -> None:
        """Queue the events of a chunk; waits while the batch before is not yet acknowledged."""
        frame, partitions = self._frame, self._partitions
        for body, persona in zip(chunk.bodies, chunk.personas.tolist(), strict=True):
            key = self._keys.get(persona)
            if key is None:
                key = self._keys[persona] = persona_name(persona).encode()
            partition, value = persona % partitions, frame + body
            batch = self._open.get(partition)
            if batch is None or batch.append(timestamp=None, key=key, value=value) is None:
                await self._send(partition)
                batch = self._open[partition] = self._producer.create_batch()
                batch.append(timestamp=None, key=key, value=value)

    async def flush(self) -> None:
        """Send what is queued and wait until all of it is acknowledged."""
        for partition in list(self._open):
            await self._send(partition)
        for acknowledged in self._under_way.values():
            await acknowledged
        self._under_way.clear()

    async def _send(self, partition: int) -> None:
        batch = self._open.pop(partition, None)
        if batch is None:
            return
        before = self._under_way.get(partition)
        if before is not None:
            await before
        self._under_way[partition] = await self._producer.send_batch(batch, self._topic, partition=partition)
