"""What is hidden, as the topics that tell it have it: read on at every look, by whoever reads the log."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping, Sequence
from contextlib import aclosing
from types import MappingProxyType
from typing import Any, Protocol

from schemas.catalogue import Topic
from schemas.codec.own_records import OwnReader
from schemas.errors import DecodeFault
from schemas.registries.registry import SchemaRegistry
from streams.engine.batch import TopicPartition
from streams.kafka.hidden import NOTHING, TOPICS, Hidden
from streams.kafka.topic_ids import TopicNow

TELLS: Mapping[str, Topic] = {name: topic for name, topic in TOPICS.items() if topic.hides}
LOOK_EVERY_S = 1.0
Bounds = Mapping[TopicPartition, tuple[int, int]]


class Reader(Protocol):
    """What can read topics as they are."""

    async def topics_now(self, names: Iterable[str]) -> Mapping[str, TopicNow]: ...
    async def whole(self, sources: Sequence[TopicPartition]) -> Bounds: ...
    def read(self, bounds: Bounds) -> AsyncGenerator[tuple[TopicPartition, Sequence[Any]], None]: ...


class HiddenKeys:
    """What is hidden, as it was at the last look; `now` gives it."""

    def __init__(
        self, open_registry: Callable[[], SchemaRegistry], monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._open_registry = open_registry
        self._monotonic = monotonic
        self._before_ms: dict[bytes, int] = {}
        self._ends: dict[TopicPartition, int] = {}
        self._looked_s = float("-inf")
        self._now = NOTHING

    def now(self) -> Hidden:
        """Return what was found last."""
        return self._now

    async def look(self, reader: Reader, *, max_age_s: float = LOOK_EVERY_S) -> Hidden:
        """Read the topics that tell it up to their ends, unless the last look is younger; return what is hidden.

        Raises:
            Unavailable: they can't be read; what is known stays known.
        """
        started_s = self._monotonic()
        if started_s - self._looked_s >= max_age_s:
            await self._read_on(reader)
            self._looked_s = started_s
        return self._now

    async def _read_on(self, reader: Reader) -> None:
        there = await reader.topics_now(TELLS)  # a stack of before has none
        sources = [TopicPartition(name, number) for name, now in there.items() for number in range(now.partitions)]
        whole = await reader.whole(sources) if sources else {}
        if whole and any(end < self._ends.get(source, 0) for source, (_, end) in whole.items()):
            self._ends.clear()  # a topic was made again
            self._before_ms.clear()
        news = {source: (max(first, self._ends.get(source, 0)), end) for source, (first, end) in whole.items()}
        if any(start < end for start, end in news.values()):
            registry = self._open_registry()
            readers = {name: OwnReader(registry, topic, topic.record) for name, topic in TELLS.items()}
            async with aclosing(reader.read(news)) as blocks:
                async for source, records in blocks:
                    for record in records:
                        self._take(readers[source.topic], record)
            self._now = Hidden(MappingProxyType(dict(self._before_ms))) if self._before_ms else NOTHING
        self._ends = {source: end for source, (_, end) in whole.items()}

    def _take(self, reader: OwnReader[Any], record: Any) -> None:  # noqa: ANN401 - the client's record
        if record.key is None:
            return
        if record.value is None:
            self._before_ms.pop(record.key, None)
            return
        try:
            told = reader.decode(record.value)
        except DecodeFault:
            return  # whatever it says, it hides nothing
        self._before_ms[record.key] = max(
            self._before_ms.get(record.key, 0), round(told.occurred_at.timestamp() * 1000)
        )
