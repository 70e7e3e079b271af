"""What topics still hold of a persona: records that nobody is shown any more, until retention takes them."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from schemas.catalogue import CATALOGUE, FOREVER, Topic
from schemas.codec.rows import RowCodec
from schemas.errors import DecodeFault, RegistryUnavailable
from streams.engine.batch import TopicPartition
from streams.errors import Unavailable
from streams.kafka.cluster import Cluster
from streams.kafka.hidden import KeyedRecord, hidden_by_field, hidden_by_record_key, key_of
from streams.kafka.log_reader import LogReader
from streams.kafka.producer import partition_of
from streams.kafka.retention import retention_of
from streams.kafka.topics import those_there
from streams.settings import Settings

R = TypeVar("R", bound=KeyedRecord)

COMPACTED = "until the broker compacts it"
FOR_EVER = "for ever: set a retention (THREADS_RETENTION)"


@dataclass(frozen=True, slots=True)
class LogHolding:
    """A topic whose log holds records of a persona; `newest_at` is when the broker took the last of them."""

    topic: str
    partition: int
    records: int
    newest_at: datetime
    kept: str


async def log_holdings(cluster: Cluster, persona_id: str) -> list[LogHolding]:
    """Return what the logs hold of a persona: of a topic with its key the partition of that key is read once, else all.

    Raises:
        Unavailable: the broker or the registry is away.
    """
    topics = {topic.name: topic for topic in CATALOGUE if topic.owned_by}
    counts = await those_there(cluster, topics)
    finder = Finder(cluster, persona_id)
    found: dict[TopicPartition, tuple[int, int]] = {}
    sources = [source for name, count in counts.items() for source in sources_of(topics[name], count, persona_id)]
    reading = LogReader(cluster, with_hidden=True)
    async with reading as reader, aclosing(reader.read(await reader.whole(sources))) as blocks:
        async for source, records in blocks:
            times = [record.timestamp for record in finder.of(topics[source.topic], records)]
            if times:
                count, newest = found.get(source, (0, 0))
                found[source] = (count + len(times), max(newest, *times))
    return [
        _holding(topics[source.topic], source.partition, *found[source], cluster.settings)
        for source in sources
        if source in found
    ]


def sources_of(topic: Topic, partitions: int, persona_id: str) -> list[TopicPartition]:
    """Return the partitions of a topic that may have records of a persona."""
    if hidden_by_record_key(topic.name):
        return [TopicPartition(topic.name, partition_of(persona_id.encode(), partitions))]
    return [TopicPartition(topic.name, number) for number in range(partitions)]


class Finder:
    """Finds the records of a persona, by their key or by the field that says whose they are."""

    def __init__(self, cluster: Cluster, persona_id: str) -> None:
        self._codec = RowCodec(cluster.open_registry())
        self._key = persona_id.encode()

    def of(self, topic: Topic, records: Sequence[R]) -> list[R]:
        """Return those of the records that are the persona's; tombstones are nobody's."""
        field = hidden_by_field(topic)
        if field is None:
            return [each for each in records if each.key == self._key and each.value is not None]
        return [each for each in records if self._names(topic, field, each.value)]

    def _names(self, topic: Topic, field: str, value: bytes | None) -> bool:
        if value is None or self._key not in value:  # texts stand in the bytes as they are
            return False
        try:
            return key_of(getattr(self._codec.decode(topic, value), field)) == self._key
        except DecodeFault:
            return False
        except RegistryUnavailable as error:
            raise Unavailable(str(error)) from error


def _holding(topic: Topic, partition: int, records: int, newest_ms: int, settings: Settings) -> LogHolding:
    newest_at, kept_ms = datetime.fromtimestamp(newest_ms / 1000, UTC), retention_of(topic, settings)
    kept = FOR_EVER
    if topic.compacted:
        kept = COMPACTED
    elif kept_ms != FOREVER:
        kept = f"until {newest_at + timedelta(milliseconds=kept_ms):%Y-%m-%d %H:%M} UTC"
    return LogHolding(topic.name, partition, records, newest_at, kept)
