"""What a rebuild reads: how far the role has folded each source, their events, and the live state's changelogs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterator, Iterator, Sequence
from collections.abc import Set as AbstractSet
from contextlib import aclosing
from dataclasses import dataclass

from agents.kpis.counters import SOURCE_TOPICS
from agents.kpis.fold import FoldStage
from streams.engine.batch import FetchedRecord, Slice, TopicPartition, weigh
from streams.kafka.cluster import Cluster
from streams.kafka.compacted import newest_values
from streams.kafka.consumer_lag import LagReader
from streams.kafka.log_reader import LogReader
from streams.kafka.topics import those_there
from streams.letters.refused import RefusedRecords
from streams.state.changelogged import MARK, OF_THE_ENGINE, LogMark
from streams.state.kafka_changelog import changelog_name
from streams.transport.log_lives import LIFE, in_life

ROLE = "kpis"


@dataclass(frozen=True, slots=True)
class Source:
    """A source partition: what its log still has from `start` on, up to where the role has committed.

    `life` is the number of its log's life, as the role counts it (streams/transport/log_lives.py).
    """

    source: TopicPartition
    start: int
    end: int
    life: int

    @property
    def last_offset(self) -> int:
        """Return the last offset that is folded, over all lives of the log."""
        return self.life * LIFE + self.end - 1

    @property
    def is_cut(self) -> bool:
        """Tell whether the log no longer has the beginning of what was folded."""
        return (self.start > 0 and self.end > 0) or self.life > 0


async def folded_sources(cluster: Cluster) -> list[Source]:
    """Return the source partitions of which the role has committed anything.

    Raises:
        Unavailable: the broker is away.
    """
    async with LagReader(cluster) as groups:
        lags = [lag for lag in await groups.lags([ROLE]) if lag.source.topic in SOURCE_TOPICS and lag.has_committed]
    sources = [lag.source for lag in lags]
    if not sources:
        return []
    async with LogReader(cluster) as reader:
        bounds = await reader.whole(sources)
    topics = sorted({source.topic for source in sources})
    folds = {topic: await kept_states(cluster, changelog_name(ROLE, FoldStage.name, topic)) for topic in topics}
    return [
        Source(source, bounds[source][0], lag.position, _life(folds[source.topic].get(source.partition, {})))
        for source, lag in sorted(zip(sources, lags, strict=True), key=lambda each: each[0])
    ]


def _life(fold: dict[bytes, bytes]) -> int:
    return LogMark.decoded(fold[MARK]).life if MARK in fold else 0


async def kept_states(cluster: Cluster, changelog: str) -> dict[int, dict[bytes, bytes]]:
    """Return what a changelog says, by partition and key; nothing where there is none.

    Raises:
        Unavailable: the broker is away.
    """
    kept = defaultdict[int, dict[bytes, bytes]](dict)
    if changelog in await those_there(cluster, [changelog]):
        for (partition, key), value in (await newest_values(cluster, changelog)).items():
            kept[partition][key] = value
    return kept


def of_the_stage(state: dict[bytes, bytes]) -> Iterator[tuple[bytes, bytes]]:
    """Yield what of a state is the stage's, without what the engine keeps beside it."""
    return ((key, value) for key, value in state.items() if not key.startswith(OF_THE_ENGINE))


async def slices(cluster: Cluster, sources: Sequence[Source]) -> AsyncIterator[Slice]:
    """Yield the folded records in slices, at their offsets over all lives of their log.

    Records that the role refused, as their dead letters say, are left out: sent again, they stand further on.

    Raises:
        Unavailable: the broker is away, or no record came within the io time-out.
    """
    of = {each.source: each for each in sources}
    bounds = {each.source: (each.start, each.end) for each in sources}
    refused = RefusedRecords(cluster, ROLE)
    places = {each.source: await refused.of(each.source, 0) for each in sources}
    async with LogReader(cluster) as reader, aclosing(reader.read(bounds)) as blocks:
        async for source, records in blocks:
            if kept := _without(places[source], records):
                yield in_life(Slice(source, kept, after=None, size_bytes=weigh(kept)), of[source].life)


def _without(refused: AbstractSet[tuple[int, int]], records: Sequence[FetchedRecord]) -> Sequence[FetchedRecord]:
    if not refused:
        return records
    return [each for each in records if (each.offset, max(each.timestamp, 0)) not in refused]
