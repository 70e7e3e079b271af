"""Dead letters: a record that can't be processed, kept with its original bytes, its origin and the reason."""

from __future__ import annotations

from datetime import UTC, datetime

from schemas.records import DeadLetter, Header
from streams.engine.batch import TopicPartition
from streams.engine.slices import FetchedRecord
from streams.engine.stage import Output
from streams.identity import derived_id

TOPIC = "dead.letters"


def dead_letter(
    consumer: str, source: TopicPartition, record: FetchedRecord, fault: Exception, now: datetime
) -> Output:
    """Return the dead letter of a record; the same record refused by the same consumer again has the same event_id."""
    letter = DeadLetter(
        event_id=derived_id(consumer, source.topic, str(source.partition), str(record.offset)),
        occurred_at=now,
        consumer=consumer,
        source_topic=source.topic,
        source_partition=source.partition,
        source_offset=record.offset,
        source_timestamp=datetime.fromtimestamp(max(record.timestamp, 0) / 1000, UTC),
        key=record.key,
        value=record.value,
        headers=tuple(Header(name=name, value=value) for name, value in record.headers or ()),
        error_class=type(fault).__name__,
        reason=str(fault),
    )
    return Output(TOPIC, letter)
