"""What the KPIs tell of personas, read from kpi.updates, and how far it is from a count made apart."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from datetime import datetime
from typing import Protocol

from schemas.catalogue import topic_named
from schemas.codec.rows import RowCodec
from schemas.engagement import COUNTER_OF
from schemas.records import KpiUpdate
from schemas.registries.registry import open_registry
from streams.engine.batch import TopicPartition
from streams.engine.retry import CircuitBreaker
from streams.kafka.cluster import Cluster
from streams.kafka.log_reader import LogReader
from streams.kafka.topics import partition_counts

Counts = dict[str, Counter[str]]
"""By persona: each counter that is not 0."""

CountsByWindow = dict[str, Counts]
"""By name of the window."""

COUNTERS = (*COUNTER_OF.values(), "late_events")
SETTLE_DEADLINE_S = 240.0
POLL_S = 0.5


class Broker(Protocol):
    """Where the KPIs are told."""

    cluster: Cluster


class ToldCounts:
    """The counts last told of some personas in some windows; each reading goes on where the last ended."""

    def __init__(self, broker: Broker, truth: CountsByWindow) -> None:
        self._cluster = broker.cluster
        self._wanted = {(persona, window) for window, counts in truth.items() for persona in counts}
        self._keys = {persona.encode() for persona, _ in self._wanted}
        self._codec, self._topic = RowCodec(open_registry(None)), topic_named("kpi.updates")
        self._patience = CircuitBreaker("the reader of kpi.updates")
        self._read_up_to: dict[TopicPartition, int] = {}
        self._newest: dict[tuple[str, str], KpiUpdate] = {}
        self.last_as_of: datetime | None = None  # the worker's clock when it told the last of them

    async def read(self) -> CountsByWindow:
        """Return what is told by now."""
        await self._patience.until_available(self._read_on)
        told: CountsByWindow = {window: {} for _, window in self._wanted}
        for (persona, window), update in self._newest.items():
            told[window][persona] = Counter({name: count for name in COUNTERS if (count := getattr(update, name))})
        return told

    async def _read_on(self) -> None:
        partitions = (await partition_counts(self._cluster, [self._topic.name]))[self._topic.name]
        sources = [TopicPartition(self._topic.name, number) for number in range(partitions)]
        async with LogReader(self._cluster) as reader:
            whole = await reader.whole(sources)
            bounds = {source: (self._read_up_to.get(source, first), end) for source, (first, end) in whole.items()}
            async for _, records in reader.read(bounds):
                for record in records:
                    if record.key in self._keys:
                        self._take(record.value)
            self._read_up_to = {source: end for source, (_, end) in whole.items()}

    def _take(self, value: bytes) -> None:
        update = self._codec.decode(self._topic, value)
        assert isinstance(update, KpiUpdate)
        if (update.persona_id, update.window) in self._wanted:
            self._newest[update.persona_id, update.window] = update
            self.last_as_of = update.window_end


async def settled_difference(
    broker: Broker, truth: Callable[[], CountsByWindow], deadline_s: float = SETTLE_DEADLINE_S
) -> int:
    """Wait until the KPIs told are the truth of the moment, or the deadline; return the difference that is left."""
    told = ToldCounts(broker, truth())
    deadline = time.monotonic() + deadline_s
    while True:
        left = difference(await told.read(), truth())
        if not left or time.monotonic() > deadline:
            return left
        await asyncio.sleep(POLL_S)


async def settled(broker: Broker, truth: Counts) -> Counts:
    """Wait until the lifetime counts told are the truth, or the deadline; return what was told last."""
    lifetime = {"lifetime": truth}
    await settled_difference(broker, lambda: lifetime)
    return (await ToldCounts(broker, lifetime).read())["lifetime"]


def difference(got: CountsByWindow, truth: CountsByWindow) -> int:
    """Return by how much all counts together differ, too many and too few alike."""
    return sum(
        abs(got[window].get(persona, Counter())[name] - counts[name])
        for window, of_personas in truth.items()
        for persona, counts in of_personas.items()
        for name in COUNTERS
    )
