"""Where the last records of several partitions begin: by their broker timestamps over all partitions together."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Collection, Iterator, Mapping

from streams.engine.batch import TopicPartition
from streams.kafka.log_reader import Bounds, LogReader

Place = tuple[int, int]
"""Broker timestamp, epoch milliseconds, and offset of a record."""


async def starts_of_last(
    reader: LogReader, bounds: Bounds, keys: Collection[str], last: int
) -> dict[TopicPartition, int]:
    """Return for each partition the offset of its first record among the last; its end where it has none of them.

    Reads back from the ends, farther each time, until each partition gave as many as are wanted or is read whole.

    Raises:
        Unavailable: the broker is away.
    """
    wanted = {key.encode() for key in keys}
    found: dict[TopicPartition, deque[Place]] = {}
    missing, width = dict(bounds), last
    while missing:
        window = {source: (max(start, end - width), end) for source, (start, end) in missing.items()}
        ends = {source: deque[Place](maxlen=last) for source in window}
        async for source, records in reader.read(window):
            ends[source].extend((each.timestamp, each.offset) for each in records if not wanted or each.key in wanted)
        found |= ends
        missing = {
            source: bound
            for source, bound in missing.items()
            if len(ends[source]) < last and window[source][0] > bound[0]
        }
        width *= 4
    return {source: bounds[source][1] for source in bounds} | dict(first_of_last(found, last))


def first_of_last(found: Mapping[TopicPartition, Collection[Place]], last: int) -> Iterator[tuple[TopicPartition, int]]:
    """Yield the partitions that have some of the last records, each with the offset of its first of them.

    The ends are taken from one after the other, always from the partition whose end has the greatest timestamp: so of
    each partition a whole end is taken, whatever order its timestamps have.
    """
    rest = {source: list(places) for source, places in found.items() if places}
    ends = [(-places[-1][0], source) for source, places in rest.items()]
    heapq.heapify(ends)
    first: dict[TopicPartition, int] = {}
    for _ in range(last):
        if not ends:
            break
        _, source = heapq.heappop(ends)
        _, first[source] = rest[source].pop()
        if rest[source]:
            heapq.heappush(ends, (-rest[source][-1][0], source))
    yield from first.items()
