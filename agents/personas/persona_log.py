"""The personas topic as news: read on and on, tombstones included."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from collections.abc import Set as AbstractSet

from aiokafka.structs import ConsumerRecord

from agents.personas.directory import PersonaNews, PersonaRemoved
from schemas.catalogue import topic_named
from schemas.codec_rows import RowCodec
from schemas.errors import DecodeFault, RegistryUnavailable
from schemas.records import PersonaApplied
from schemas.registry import SchemaRegistry
from streams.endpoints import require_kafka
from streams.engine.batch import TopicPartition
from streams.errors import Unavailable
from streams.kafka.log_reader import LogReader
from streams.settings import Settings

logger = logging.getLogger(__name__)

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
        self._settings = settings
        self._codec = RowCodec(registry)
        self._clock = clock
        self._reader: LogReader | None = None
        self._position = 0
        self._read_at_s = 0.0
        self._standing: set[str] = set()

    async def news(self) -> Sequence[PersonaNews]:
        """Return what was appended since the last call, up to the end of now; `Unavailable` when it can't be read."""
        reader = await self._connected()
        started_s = self._clock()
        try:
            first, end = (await reader.whole([SOURCE]))[SOURCE]
            anew = end < self._position or started_s - self._read_at_s > REREAD_AFTER_S
            start = first if anew else max(self._position, first)
            news: list[PersonaNews] = []
            async for _, block in reader.read({SOURCE: (start, end)}):
                news += self._decoded(block)
        except Unavailable:
            await self.close()
            raise
        standing = standing_after(news, set() if anew else self._standing)
        gone = [PersonaRemoved(each) for each in sorted(self._standing - standing)] if anew else []
        self._position, self._read_at_s, self._standing = end, started_s, standing
        return [*gone, *news]

    async def close(self) -> None:
        """Disconnect; the next call connects again."""
        reader, self._reader = self._reader, None
        if reader is not None:
            await reader.__aexit__(None, None, None)

    async def _connected(self) -> LogReader:
        if self._reader is None:
            self._reader = await LogReader(self._settings, require_kafka(self._settings)).__aenter__()
        return self._reader

    def _decoded(self, block: Sequence[ConsumerRecord]) -> Iterator[PersonaNews]:
        for record in block:
            if record.value is None:
                if record.key is not None:
                    yield PersonaRemoved(record.key.decode(errors="replace"))
                continue
            try:
                found = self._codec.decode(TOPIC, record.value)
            except DecodeFault as fault:
                logger.warning("Passed over offset %d of the personas topic: %s", record.offset, fault)
                continue
            except RegistryUnavailable as error:
                raise Unavailable(str(error)) from error
            assert isinstance(found, PersonaApplied)
            yield found


def standing_after(news: Sequence[PersonaNews], before: AbstractSet[str]) -> set[str]:
    """Return the ids of the personas that stand after the news, given those that stood before."""
    standing = set(before)
    for each in news:
        if isinstance(each, PersonaRemoved):
            standing.discard(each.persona_id)
        else:
            standing.add(each.persona_id)
    return standing
