"""The personas topic as news: read on and on, tombstones included."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from collections.abc import Set as AbstractSet

from agents.personas.directory import PersonaNews, PersonaRemoved
from schemas.catalogue import topic_named
from schemas.records import PersonaApplied
from schemas.registries.registry import SchemaRegistry
from streams.engine.batch import TopicPartition
from streams.kafka.beginning import WHOLE
from streams.kafka.topic_tail import TailEntry, TopicTail
from streams.settings import Settings

TOPIC = topic_named("personas")
SOURCE = TopicPartition(TOPIC.name, 0)
REREAD_AFTER_S = 12 * 3600.0  # half of delete.retention.ms, for which Kafka keeps tombstones


class KafkaPersonaLog:
    """The personas topic, read on from where the last reading ended, through one connection that is kept.

    Compaction takes a tombstone a day after it was written. So after half a day without a reading, or when the topic
    was made anew, all of it is read again, and a persona that is not there any more counts as removed.
    """

    def __init__(
        self, settings: Settings, registry: SchemaRegistry, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._tail = TopicTail(settings, registry, {TOPIC: WHOLE}, PersonaApplied)
        self._clock = clock
        self._read_at_s = clock()
        self._standing: set[str] = set()

    async def news(self) -> Sequence[PersonaNews]:
        """Return what was appended since the last call, up to the end of now; `Unavailable` when it can't be read."""
        started_s = self._clock()
        reading = await self._tail.read_on(anew=started_s - self._read_at_s > REREAD_AFTER_S)
        news = [each for entry in reading.entries for each in _news(entry)]
        standing = standing_after(news, set() if reading.anew else self._standing)
        gone = [PersonaRemoved(each) for each in sorted(self._standing - standing)] if reading.anew else []
        self._read_at_s, self._standing = started_s, standing
        return [*gone, *news]

    async def close(self) -> None:
        """Disconnect; the next call connects again."""
        await self._tail.close()


def _news(entry: TailEntry[PersonaApplied]) -> Iterator[PersonaNews]:
    if entry.record is not None:
        yield entry.record
    elif entry.key is not None:
        yield PersonaRemoved(entry.key.decode(errors="replace"))


def standing_after(news: Sequence[PersonaNews], before: AbstractSet[str]) -> set[str]:
    """Return the ids of the personas that stand after the news, given those that stood before."""
    standing = set(before)
    for each in news:
        if isinstance(each, PersonaRemoved):
            standing.discard(each.persona_id)
        else:
            standing.add(each.persona_id)
    return standing
