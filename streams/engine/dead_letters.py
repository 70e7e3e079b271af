"""Dead letters: a record that can't be processed, kept with its original bytes, its origin and the reason."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from schemas.records import DeadLetter, Header
from streams.engine.batch import TopicPartition
from streams.engine.slices import FetchedRecord, Slice
from streams.engine.stage import Output, Rejection
from streams.errors import RecordFault
from streams.identity import derived_id
from streams.kafka.header_names import name_text
from streams.transport.log_lives import log_offset

logger = logging.getLogger(__name__)

TOPIC = "dead.letters"
MAX_REASON_CHARS = 4_000


@dataclass(frozen=True, slots=True)
class _Content:
    """What a letter keeps of a record; `lost` bytes did not fit."""

    key: bytes | None
    headers: tuple[Header, ...]
    value: bytes | None
    lost: int


def dead_letter(
    consumer: str, source: TopicPartition, record: FetchedRecord, fault: RecordFault, *, now: datetime, max_bytes: int
) -> Output:
    """Return the dead letter of a record; the same record refused by the same consumer again has the same event_id.

    Key, headers and value are kept to `max_bytes` together: what is larger would keep its partition from going on,
    because its letter could not be written. The reason says how much is missing. Names of headers are text in a letter:
    streams/kafka/header_names.py says how bytes that are no text stand in it.
    """
    content = _kept(record, max_bytes)
    reason = str(fault)
    if len(reason) > MAX_REASON_CHARS:
        reason = f"{reason[:MAX_REASON_CHARS]}... ({len(reason):,} characters)"
    if content.lost:
        reason = f"{reason} (the last {content.lost:,} bytes of the record did not fit into its dead letter)"
    letter = DeadLetter(
        event_id=derived_id(consumer, source.topic, str(source.partition), str(record.offset)),
        occurred_at=now,
        consumer=consumer,
        source_topic=source.topic,
        source_partition=source.partition,
        source_offset=log_offset(record.offset),
        source_timestamp=datetime.fromtimestamp(max(record.timestamp, 0) / 1000, UTC),
        key=content.key,
        value=content.value,
        headers=content.headers,
        error_class=fault.error_class,
        reason=reason,
    )
    return Output(TOPIC, letter)


def _kept(record: FetchedRecord, room: int) -> _Content:
    key = _cut(record.key, room)
    room -= len(key or b"")
    lost = len(record.key or b"") - len(key or b"")
    headers: list[Header] = []
    for raw_name, content in record.headers or ():
        name = name_text(raw_name)
        size = len(name.encode()) + len(content or b"")
        if size <= room:
            headers.append(Header(name=name, value=content))
            room -= size
        else:
            lost += size
    value = _cut(record.value, room)
    return _Content(key, tuple(headers), value, lost + len(record.value or b"") - len(value or b""))


def _cut(content: bytes | None, room: int) -> bytes | None:
    return content if content is None or len(content) <= room else content[:room]


class Letters:
    """The dead letters of a consumer that wait for the next checkpoint."""

    def __init__(self, consumer: str, max_bytes: int) -> None:
        """Take the consumer's name, and how many bytes a letter keeps of a record."""
        self.consumer = consumer
        self.waiting: list[Output] = []
        self._max_bytes = max_bytes

    def add(self, part: Slice, refused: Sequence[Rejection]) -> None:
        """Write the letters of records of a slice."""
        if not refused:
            return
        faults = {rejection.offset: rejection.fault for rejection in refused}
        now = datetime.now(UTC)
        for record in part.records:
            fault = faults.get(record.offset)
            if fault is not None:
                logger.warning("Dead letter %s/%d@%d: %.500s", *part.source, log_offset(record.offset), fault)
                self.waiting.append(
                    dead_letter(self.consumer, part.source, record, fault, now=now, max_bytes=self._max_bytes)
                )

    def add_late(self, parts: Sequence[Slice], refused: Sequence[Rejection]) -> None:
        """Write the letters of records that stand in slices folded earlier."""
        if refused:
            for part in parts:
                self.add(part, [each for each in refused if part.first_offset <= each.offset <= part.last_offset])

    def forget(self) -> None:
        """Forget what waits: it is durable now, or its records come again."""
        self.waiting = []
