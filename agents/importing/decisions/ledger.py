"""The import ledger: every decision of every import, on one partition, before the events that follow from it.

An entry is in force only if it stands at the offset up to which its writer knew the log. So two imports at once can't
decide on the same counts: of two entries for one offset the broker puts one first, every reader passes the other over,
and its writer reads on and decides again. What is known of a post is what the entries in force say, in their order.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from agents.importing.decisions.change_columns import decode_changes, decode_posts
from agents.importing.decisions.known_counts import KnownCounts
from schemas.catalogue import topic_named
from schemas.codec.rows import RowCodec
from schemas.errors import SchemaError
from schemas.records import ImportProgress
from schemas.registries.registry import SchemaRegistry
from streams.engine.batch import TopicPartition
from streams.errors import Unavailable
from streams.identity import derived_id
from streams.kafka.producer import EventProducer
from streams.kafka.reader import log_bounds, read_offsets
from streams.settings import Settings
from streams.wall_clock import utc_now

TOPIC = topic_named("import.ledger")
PARTITION = TopicPartition(TOPIC.name, 0)


@dataclass(slots=True)
class LedgerState:
    """What the ledger says up to `end`: the counts, each reading's newest entry, and entries that may lack events."""

    known: KnownCounts = field(default_factory=KnownCounts)
    readings: dict[str, ImportProgress] = field(default_factory=dict)
    unsettled: dict[str, ImportProgress] = field(default_factory=dict)  # by run
    end: int = 0

    def take(self, offset: int, entry: ImportProgress) -> bool:
        """Take an entry over if it is in force, and tell whether it is."""
        self.end = offset + 1
        if entry.base is not None and entry.base != offset:
            return False
        earlier = self.readings.get(entry.source)
        if earlier is None or entry.rows >= earlier.rows:
            self.readings[entry.source] = entry
        told_ms = round(entry.occurred_at.timestamp() * 1000)
        self.known.apply(decode_changes(entry.counts, entry.channel), entry.source, told_ms)
        self.known.publish(decode_posts(entry.posts, entry.channel))
        if entry.counts is None:
            self.unsettled.pop(entry.run, None)
        else:
            self.unsettled[entry.run] = entry
        return True


class Ledger:
    """The ledger as one run reads and writes it; `state` is what it says up to the last entry that was read."""

    def __init__(
        self, producer: EventProducer, settings: Settings, bootstrap: str, registry: SchemaRegistry, run: str
    ) -> None:
        self._producer = producer
        self._settings = settings
        self._bootstrap = bootstrap
        self._codec = RowCodec(registry)
        self._run = run
        self.state = LedgerState()

    async def read(self) -> None:
        """Read what has been written since the last time.

        Raises:
            Unavailable: the broker, the topic or the registry does not answer.
        """
        start, end = await log_bounds(self._settings, self._bootstrap, PARTITION)
        start = max(start, self.state.end)
        async for records in read_offsets(self._settings, self._bootstrap, PARTITION, start, end):
            for record in records:
                if record.value is not None:
                    self.state.take(record.offset, self._decoded(record.value))
        self.state.end = max(self.state.end, end)

    async def write(self, entry: ImportProgress) -> bool:
        """Append an entry that was decided on the state, and tell whether it is in force and taken over.

        If it is not, another import wrote first: the state has what that one wrote, and all is to be decided again.

        Raises:
            Unavailable: the broker does not answer; whether the entry was written shows when it is read again.
        """
        base = self.state.end
        entry = replace(
            entry,
            event_id=derived_id(entry.source, "entry", self._run, str(base)),
            occurred_at=utc_now(),
            base=base,
            run=self._run if not entry.run else entry.run,
        )
        queued = await self._producer.send(TOPIC.name, entry, partition=PARTITION.partition)
        (metadata,) = await self._producer.acknowledged([queued])
        if metadata.offset == base:
            return self.state.take(base, entry)
        await self.read()
        return False

    def left_behind(self) -> Iterator[ImportProgress]:
        """Yield the last entries of other runs whose events may be missing."""
        yield from [entry for run, entry in self.state.unsettled.items() if run != self._run]

    def _decoded(self, value: bytes) -> ImportProgress:
        try:
            entry = self._codec.decode(TOPIC, value)
        except SchemaError as error:
            raise Unavailable(f"The import ledger can't be read: {error}") from error
        assert isinstance(entry, ImportProgress)
        return entry


def new_entry(source_key: str, file_name: str) -> ImportProgress:
    """Return an entry of a reading that says nothing yet; Ledger.write fills in what every entry has."""
    return ImportProgress(
        event_id="",
        occurred_at=utc_now(),
        source=source_key,
        file_name=file_name,
        rows=0,
        finished=False,
    )
