"""Batches of records with header names of any bytes, which no Python client writes, and their way to a broker."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from aiokafka import AIOKafkaProducer
from aiokafka.record.default_records import _DefaultRecordBatchBuilderPy

NO_PRODUCER = -1
MAX_BATCH_BYTES = 2**24


class Given(NamedTuple):
    """What a record is to hold."""

    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[bytes, bytes | None]] = ()


class _Name(bytes):
    """A header's name for aiokafka's builder, which asks a name for its bytes."""

    def encode(self, encoding: str) -> bytes:
        del encoding
        return bytes(self)


def encoded(records: Sequence[Given], *, codec: int = 0) -> bytes:
    """Return a batch as a broker sends it."""
    return bytes(_builder(records, codec).build())


def _builder(records: Sequence[Given], codec: int, timestamp: int = 1_700_000_000_000) -> Any:
    made = _DefaultRecordBatchBuilderPy(2, codec, 0, NO_PRODUCER, NO_PRODUCER, NO_PRODUCER, MAX_BATCH_BYTES)
    for offset, record in enumerate(records):
        headers = [(_Name(name), value) for name, value in record.headers]
        assert made.append(offset, timestamp + offset, record.key, record.value, headers) is not None
    return made


async def append(bootstrap: str, topic: str, partition: int, records: Sequence[Given], *, codec: int = 0) -> int:
    """Append records as one batch; return the offset of the first."""
    client = AIOKafkaProducer(bootstrap_servers=bootstrap)
    await client.start()
    try:
        batch = client.create_batch()
        batch._builder = _builder(records, codec)  # aiokafka's faster one takes text only
        batch._relative_offset = len(records)
        batch.close()
        sent = await (await client.send_batch(batch, topic, partition=partition))
        return int(sent.offset)
    finally:
        await client.stop()
