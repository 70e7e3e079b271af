"""Back-pressure by the bytes of fetched records that are still held."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from streams.engine.batch import TopicPartition


class FetchBudget:
    """Count the bytes in flight of each partition and tell which partitions may be fetched.

    Everything may while less than half of `max_bytes` is in flight; then partitions above their fair share wait; at
    `max_bytes` all wait. So one slow stage of a role does not take the memory of the others.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._held: Counter[TopicPartition] = Counter()
        self._total = 0

    @property
    def in_flight_bytes(self) -> int:
        return self._total

    def take(self, source: TopicPartition, size_bytes: int) -> None:
        self._held[source] += size_bytes
        self._total += size_bytes

    def give_back(self, source: TopicPartition, size_bytes: int) -> None:
        """Return bytes that are let go; what was forgotten in between is not counted twice."""
        given = min(size_bytes, self._held[source])
        self._held[source] -= given
        self._total -= given

    def forget_all(self) -> None:
        """Start anew: at a rebalance every slice in flight is void."""
        self._held.clear()
        self._total = 0

    def fetchable(self, sources: Iterable[TopicPartition]) -> set[TopicPartition]:
        """Return the partitions that may be fetched now."""
        wanted = set(sources)
        if self._total < self._max_bytes / 2 or not wanted:
            return wanted
        if self._total >= self._max_bytes:
            return set()
        share = self._max_bytes / 2 / len(wanted)
        return {source for source in wanted if self._held[source] < share}
