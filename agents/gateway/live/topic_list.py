"""The topics of the catalogue as the broker has them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from agents.gateway.live.readers import LogReaders
from schemas.catalogue import FOREVER, Topic
from schemas.definitions import definition
from streams.engine.batch import TopicPartition
from streams.kafka.retention import retention_of
from streams.settings import Settings


@dataclass(frozen=True, slots=True)
class TopicState:
    """A topic, and its logs: `records` counts offsets, of which compaction may have taken some.

    `retention_ms` is how long records are kept, None for ever.
    """

    topic: Topic
    partitions: int
    records: int
    retention_ms: int | None

    @property
    def description(self) -> str:
        """Return what its records are."""
        return description_of(self.topic)


class TopicList:
    """Look up topics, all with the same few requests."""

    def __init__(self, readers: LogReaders, settings: Settings) -> None:
        self._readers = readers
        self._settings = settings

    async def states(self, topics: Iterable[Topic]) -> Sequence[TopicState]:
        """Return those of the topics that are there, in their order.

        Raises:
            Unavailable: Kafka does not answer.
        """
        wanted = list(topics)
        async with self._readers.reader() as reader:
            now = await reader.topics_now(topic.name for topic in wanted)
            sources = [TopicPartition(name, number) for name in now for number in range(now[name].partitions)]
            logs = await reader.whole(sources)
        counts = dict.fromkeys(now, 0)
        for source, (first, end) in logs.items():
            counts[source.topic] += end - first
        return [
            TopicState(topic, now[topic.name].partitions, counts[topic.name], self._retention_ms(topic))
            for topic in wanted
            if topic.name in now
        ]

    def _retention_ms(self, topic: Topic) -> int | None:
        kept_ms = retention_of(topic, self._settings)
        return None if kept_ms == FOREVER else kept_ms


def description_of(topic: Topic) -> str:
    """Return the documentation of a topic's record."""
    schema = definition(topic.record.schema_name)
    return str(schema.get("doc", "")) if isinstance(schema, dict) else ""
