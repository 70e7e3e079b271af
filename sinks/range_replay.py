"""Range replay: a range of a topic, read again from the log, goes through a sink as if it came for the first time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from schemas.registries.registry import open_registry
from sinks.sink import Sink, record_count
from streams.endpoints import require_kafka, resolve
from streams.engine.batch import Batch
from streams.engine.decoding import Decoder
from streams.engine.slices import Slice, weigh
from streams.kafka.reader import read_range
from streams.settings import Settings

FLUSH_RECORDS = 100_000


@dataclass(frozen=True, slots=True)
class TimeRange:
    """Broker timestamps in epoch milliseconds: from the first record at or after `since_ms` to before `until_ms`."""

    since_ms: int | None = None
    until_ms: int | None = None


@dataclass(slots=True)
class ReplayCount:
    """How many records were read, written into the sink, and refused by the schema or by the sink."""

    read: int = 0
    written: int = 0
    refused: int = 0


async def replay_range(
    settings: Settings, topic: str, span: TimeRange, sink: Sink, on_read: Callable[[int], None]
) -> ReplayCount:
    """Read the range without a consumer group and write it into the sink, which must be open; tell what was read.

    A sink writes by id: a second replay changes nothing. Refused records are in dead.letters already, from when they
    first came; they are counted, not set aside again.

    Raises:
        Unavailable: Kafka or the sink's store is away; the replay may be run again.
    """
    decoder = Decoder(open_registry(resolve(settings).schemas), settings)
    count, kept, unflushed_records, unflushed_bytes = ReplayCount(), list[Batch](), 0, 0

    async def flush() -> None:
        await sink.write(kept)
        count.written += sum(map(record_count, kept))
        kept.clear()

    blocks = read_range(settings, require_kafka(settings), topic, since_ms=span.since_ms, until_ms=span.until_ms)
    async for source, records in blocks:
        part = Slice(source, records, after=None, size_bytes=weigh(records))
        decoded = decoder.decode(part)
        refused = len(decoded.rejections)
        if decoded.batch is not None:
            screened = await sink.screen(decoded.batch)
            refused += len(screened.rejections)
            if screened.batch is not None:
                kept.append(screened.batch)
        count.read += len(records)
        count.refused += refused
        unflushed_records += len(records)
        unflushed_bytes += part.size_bytes
        if unflushed_records >= FLUSH_RECORDS or unflushed_bytes >= settings.checkpoint_max_bytes:
            await flush()
            unflushed_records = unflushed_bytes = 0
        on_read(len(records))
    await flush()
    return count
