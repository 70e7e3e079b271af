"""How much a topic holds."""

from __future__ import annotations

from streams.engine.batch import TopicPartition
from streams.kafka.cluster import Cluster
from streams.kafka.log_reader import LogReader
from streams.kafka.topics import partition_counts


async def range_size(cluster: Cluster, topic: str, *, since_ms: int | None = None) -> int:
    """Return how many offsets `read_range` would cover; compaction makes it an upper bound."""
    sources = [TopicPartition(topic, number) for number in range((await partition_counts(cluster, [topic]))[topic])]
    async with LogReader(cluster) as reader:
        bounds = await reader.whole(sources)
        starts = {} if since_ms is None else await reader.at_time(sources, since_ms)
    firsts = {source: first if since_ms is None else starts[source] for source, (first, _) in bounds.items()}
    return sum(end - first for source, (_, end) in bounds.items() if (first := firsts[source]) is not None)
