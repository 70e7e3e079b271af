"""The import ledger: every decision of every import, on one partition, before the events that follow from it.

An entry is in force only if it stands at the offset up to which its writer knew the log. So two imports at once can't
decide on the same counts: of two entries for one offset the broker puts one first, every reader passes the other over,
and its writer reads on and decides again. What is known of a post is what the entries in force say, in their order.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field, replace

from agents.importing.decisions.known_counts import KnownCounts, decode_changes, decode_posts
from agents.importing.events import ENGAGEMENT, BlockWriter, entry_columns
from schemas.catalogue import topic_named
from schemas.codec.rows import RowCodec
from schemas.errors import SchemaError
from schemas.records import ImportProgress
from schemas.registries.registry import SchemaRegistry
from streams.engine.batch import TopicPartition
from streams.errors import Unavailable
from streams.identity import derived_id
from streams.kafka.cluster import Cluster
from streams.kafka.log_reader import Bounds, LogReader, log_bounds, read_offsets
from streams.kafka.producer import EventProducer
from streams.kafka.topics import partition_counts
from streams.wall_clock import utc_now

TOPIC = topic_named("import.ledger")
PARTITION = TopicPartition(TOPIC.name, 0)


@dataclass(slots=True)
class LedgerState:
    """What the ledger says up to `end`: each reading's newest entry, entries that may lack events, and the counts.

    The counts are those of the channels in `learnt`, None meaning all: a channel that no reading needs is left alone,
    for it may be larger than memory. `channels` are the readings of each.
    """

    known: KnownCounts = field(default_factory=KnownCounts)
    readings: dict[str, ImportProgress] = field(default_factory=dict)
    unsettled: dict[str, ImportProgress] = field(default_factory=dict)  # by run
    channels: dict[str, set[str]] = field(default_factory=dict)
    learnt: set[str] | None = None
    end: int = 0

    def knows(self, channel: str) -> bool:
        """Tell whether the counts of a channel are known."""
        return self.learnt is None or channel in self.learnt

    def has_others(self, channel: str, reading: str) -> bool:
        """Tell whether other readings than one have counted something of a channel."""
        return bool(self.channels.get(channel, set()) - {reading})

    def count(self, entry: ImportProgress) -> None:
        """Take over what an entry counts and publishes."""
        told_ms = round(entry.occurred_at.timestamp() * 1000)
        self.known.apply(decode_changes(entry.counts, entry.channel), entry.source, told_ms)
        self.known.publish(decode_posts(entry.posts, entry.channel))

    def take(self, offset: int, entry: ImportProgress) -> bool:
        """Take an entry over if it is in force, and tell whether it is."""
        self.end = offset + 1
        if not in_force(offset, entry):
            return False
        earlier = self.readings.get(entry.source)
        if earlier is None or entry.rows >= earlier.rows:
            self.readings[entry.source] = replace(entry, counts=None, posts=None)
        if entry.counts is not None or entry.posts is not None:
            self.channels.setdefault(entry.channel, set()).add(entry.source)
            if self.knows(entry.channel):
                self.count(entry)
        if entry.counts is None:
            self.unsettled.pop(entry.run, None)
        else:
            self.unsettled[entry.run] = entry
        return True


def in_force(offset: int, entry: ImportProgress) -> bool:
    """Tell whether an entry at an offset counts: no other was written since its writer knew the ledger."""
    return entry.base is None or entry.base == offset


class Ledger:
    """The ledger as one run reads and writes it; `state` is what it says up to the last entry that was read."""

    def __init__(self, producer: EventProducer, cluster: Cluster, registry: SchemaRegistry, run: str) -> None:
        self._producer = producer
        self._cluster = cluster
        self._codec = RowCodec(registry)
        self._run = run
        self.state = LedgerState(learnt=set())

    async def read(self) -> None:
        """Read what has been written since the last time.

        Raises:
            Unavailable: the broker, the topic or the registry does not answer.
        """
        start, end = await log_bounds(self._cluster, PARTITION)
        async for offset, entry in self._entries(max(start, self.state.end), end):
            self.state.take(offset, entry)
        self.state.end = max(self.state.end, end)

    async def learn(self, channel: str) -> None:
        """Have the state know the counts of a channel; raises as `read` does."""
        if self.state.learnt is None or channel in self.state.learnt:
            return
        if channel in self.state.channels:
            start, _ = await log_bounds(self._cluster, PARTITION)
            async for offset, entry in self._entries(start, self.state.end):
                if entry.channel == channel and in_force(offset, entry):
                    self.state.count(entry)
        self.state.learnt.add(channel)

    async def _entries(self, start: int, end: int) -> AsyncIterator[tuple[int, ImportProgress]]:
        async for records in read_offsets(self._cluster, PARTITION, start, end):
            for record in records:
                if record.value is not None:
                    yield record.offset, self._decoded(record.value)

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


async def log_ends(cluster: Cluster, partitions: int) -> tuple[int, ...]:
    """Return the end of each partition of engagement.events.

    Raises:
        Unavailable: the broker is away.
    """
    sources = [TopicPartition(ENGAGEMENT.name, number) for number in range(partitions)]
    async with LogReader(cluster) as reader:
        ends = await reader.ends(sources)
    return tuple(ends[source] for source in sources)


async def settle(ledger: Ledger, writer: BlockWriter, cluster: Cluster, registry: SchemaRegistry) -> None:
    """Send the events that the last decisions of other runs lack, and note that they are in.

    A run that is still under way sends them too: with the same ids, so that they count once.

    Raises:
        Unavailable: the broker does not answer; the next import does it.
    """
    for entry in list(ledger.left_behind()):
        events = entry_columns(entry)
        if events.keys:
            arrived = await _arrived(entry, set(events.keys), cluster, registry)
            missing = events.kept([event_id not in arrived for event_id in events.ids()])
            await writer.append(writer.encode([missing]))
        settled = replace(entry, counts=None, posts=None)
        while not await ledger.write(settled):
            pass


async def _arrived(entry: ImportProgress, personas: set[str], cluster: Cluster, registry: SchemaRegistry) -> set[str]:
    """Return the ids of the events of personas that came since the run began."""
    codec, keys = RowCodec(registry), {persona.encode() for persona in personas}
    partitions = (await partition_counts(cluster, [ENGAGEMENT.name]))[ENGAGEMENT.name]
    found: set[str] = set()
    async with LogReader(cluster) as reader:
        async for _, records in reader.read(await _since(reader, entry.log_ends, partitions)):
            found |= {_event_id(codec, each.value) for each in records if each.key in keys and each.value}
    return found


async def _since(reader: LogReader, starts: tuple[int, ...], partitions: int) -> Bounds:
    """Return the bounds from the ends that were noted; a partition that is newer is read from its beginning."""
    whole = await reader.whole([TopicPartition(ENGAGEMENT.name, number) for number in range(partitions)])
    noted = dict(enumerate(starts))
    return {source: (max(first, noted.get(source.partition, 0)), end) for source, (first, end) in whole.items()}


def _event_id(codec: RowCodec, value: bytes) -> str:
    """Return the id of an event, "" of a record that is none: others may write what they like."""
    try:
        return str(codec.decode_plain(ENGAGEMENT, value)["event_id"])
    except SchemaError:
        return ""
