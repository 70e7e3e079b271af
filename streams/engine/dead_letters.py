"""Dead letters: records that can't be processed, kept with their bytes, origin and reason, and how they are read.

They are read also where the registry that knows their schema is away or has forgotten it: they are what somebody looks
into when something is wrong.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from schemas.catalogue import topic_named
from schemas.codec.own_records import OwnReader
from schemas.records import DeadLetter, Header
from schemas.registries.registry import SchemaRegistry
from streams.engine.batch import FetchedRecord, Slice, TopicPartition
from streams.engine.stage import Output, Rejection
from streams.errors import RecordFault
from streams.identity import derived_id
from streams.kafka.record_bytes import name_text
from streams.kafka.record_size import DEAD_LETTERS
from streams.policies import Policies
from streams.transport.log_lives import log_offset

logger = logging.getLogger(__name__)

TOPIC = "dead.letters"
MAX_REASON_CHARS = 4_000
DROPPED_EVERY_S = 60.0
_CUT = "did not fit into its dead letter)"


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
    streams/kafka/record_bytes.py says how bytes that are no text stand in it.
    """
    content = _kept(record, max_bytes)
    reason = str(fault)
    if len(reason) > MAX_REASON_CHARS:
        reason = f"{reason[:MAX_REASON_CHARS]}... ({len(reason):,} characters)"
    if content.lost:
        reason = f"{reason} (the last {content.lost:,} bytes of the record {_CUT}"
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


def is_cut(letter: DeadLetter) -> bool:
    """Tell whether a letter lacks bytes of its record, which did not fit."""
    return letter.reason.endswith(_CUT)


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
    """The dead letters of a consumer that wait for the next checkpoint, and how many records it dropped since the last.

    What is dropped is logged once in `DROPPED_EVERY_S` for each topic.
    """

    def __init__(
        self,
        consumer: str,
        max_bytes: int,
        policies: Policies | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take the consumer's name, and how many bytes a letter keeps of a record."""
        self.consumer = consumer
        self.waiting: list[Output] = []
        self.dropped: Counter[str] = Counter()
        self._max_bytes = max_bytes
        self._policies = policies or Policies()
        self._monotonic = monotonic
        self._silent_until: dict[str, float] = {}
        self._untold: Counter[str] = Counter()

    def stops_at(self, topic: str) -> bool:
        """Tell whether a record of a topic that can't be processed is to stop its partition."""
        return self._policies.of(topic) == "stop"

    def drops(self, topic: str) -> bool:
        """Tell whether nothing is kept of a topic's records that can't be processed."""
        return self._policies.of(topic) == "drop"

    def add(self, part: Slice, refused: Sequence[Rejection]) -> None:
        """Write the letters of records of a slice, or drop them."""
        if not refused:
            return
        if self.drops(part.source.topic):
            self._drop(part, refused)
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

    def _drop(self, part: Slice, refused: Sequence[Rejection]) -> None:
        topic, now = part.source.topic, self._monotonic()
        self.dropped[topic] += len(refused)
        self._untold[topic] += len(refused)
        if now >= self._silent_until.get(topic, now):
            self._silent_until[topic] = now + DROPPED_EVERY_S
            at, count = log_offset(refused[-1].offset), self._untold.pop(topic)
            logger.warning("Dropped %d of %s, the last %d@%d: %.500s", count, *part.source, at, refused[-1].fault)

    def forget(self) -> None:
        """Forget what waits: it is durable now, or its records come again."""
        self.waiting = []
        self.dropped.clear()


class LetterReader(OwnReader[DeadLetter]):
    """Decode values of dead.letters."""

    def __init__(self, registry: SchemaRegistry) -> None:
        super().__init__(registry, topic_named(DEAD_LETTERS), DeadLetter)
