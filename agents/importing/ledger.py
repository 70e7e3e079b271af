"""The import ledger: how far each source has come, on a compacted topic, so that no row is imported twice."""

from __future__ import annotations

from dataclasses import replace

from schemas.catalogue import topic_named
from schemas.codec_rows import RowCodec
from schemas.errors import SchemaError
from schemas.records import ImportProgress
from schemas.registry import SchemaRegistry
from streams.engine.stage import Output
from streams.errors import Unavailable
from streams.identity import derived_id
from streams.kafka.producer import EventProducer
from streams.kafka.reader import read_range
from streams.settings import Settings
from streams.wall_clock import utc_now

TOPIC = topic_named("import.ledger")


async def read_progress(
    source_key: str, settings: Settings, bootstrap: str, registry: SchemaRegistry
) -> ImportProgress | None:
    """Return the newest entry of a source, None where it was never begun.

    Raises:
        Unavailable: the broker, the topic or the registry does not answer.
    """
    codec, newest = RowCodec(registry), None
    async for _, records in read_range(settings, bootstrap, TOPIC.name):
        for record in records:
            if record.key == source_key.encode() and record.value is not None:
                try:
                    entry = codec.decode(TOPIC, record.value)
                except SchemaError as error:
                    raise Unavailable(f"The import ledger can't be read: {error}") from error
                assert isinstance(entry, ImportProgress)
                newest = entry
    return newest


class Ledger:
    """The entry of one source, written through the producer; `progress` is what was last acknowledged."""

    def __init__(self, producer: EventProducer, progress: ImportProgress) -> None:
        self._producer = producer
        self.progress = progress

    async def advance(self, rows: int, *, finished: bool) -> None:
        """Note that the events of the first `rows` rows are acknowledged, and wait until the note is.

        Raises:
            Unavailable: the broker does not answer; the rows are sent again by the next import, with the same ids.
        """
        entry = replace(
            self.progress,
            event_id=derived_id(self.progress.source, "rows", str(rows)),
            occurred_at=utc_now(),
            rows=rows,
            finished=finished,
        )
        await self._producer.append_all([Output(TOPIC.name, entry)])
        self.progress = entry


def first_entry(source_key: str, file_name: str, shift_ms: int) -> ImportProgress:
    """Return the entry of a source of which nothing is in yet; it fixes the shift for every later attempt."""
    return ImportProgress(
        event_id=derived_id(source_key, "rows", "0"),
        occurred_at=utc_now(),
        source=source_key,
        file_name=file_name,
        rows=0,
        shift_ms=shift_ms,
        finished=False,
    )
