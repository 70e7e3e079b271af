"""What topics take on the brokers' disks, and by how much they grow."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from schemas.catalogue import DAY_MS
from streams.engine.batch import TopicPartition
from streams.kafka.cluster import Cluster
from streams.kafka.consumer_lag import LagReader
from streams.kafka.log_reader import LogReader
from streams.kafka.topics import those_there

_UNITS = (("TB", 10**12), ("GB", 10**9), ("MB", 10**6), ("kB", 10**3))


@dataclass(frozen=True, slots=True)
class TopicSize:
    """Bytes of all replicas of a topic, and those that the last day added, by its share of the records there are."""

    bytes: int
    bytes_a_day: int


async def topic_sizes(cluster: Cluster, names: Iterable[str]) -> dict[str, TopicSize]:
    """Return the sizes of those of the topics that are there.

    Raises:
        Unavailable: the broker is away.
    """
    counts = await those_there(cluster, names)
    sources = [TopicPartition(name, number) for name, count in counts.items() for number in range(count)]
    async with LagReader(cluster) as brokers, LogReader(cluster) as log:
        taken = sum((Counter(sizes) for sizes in (await brokers.log_sizes()).values()), Counter[str]())
        whole = await log.whole(sources)
        a_day_ago = await log.at_time(sources, time.time_ns() // 1_000_000 - DAY_MS)
    records, fresh = Counter[str](), Counter[str]()
    for source, (first, end) in whole.items():
        since = a_day_ago[source]
        records[source.topic] += end - first
        fresh[source.topic] += 0 if since is None else end - max(since, first)
    return {
        name: TopicSize(taken[name], taken[name] * fresh[name] // records[name] if records[name] else 0)
        for name in counts
    }


def size_text(size: int) -> str:
    """Return bytes as a person reads them: in the greatest unit of which there is one at least."""
    for name, unit in _UNITS:
        if size >= unit:
            return f"{size / unit:.1f} {name}"
    return f"{size} B"
