"""A changelog in memory, for tests of state and of the loop."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterator

from streams.engine.batch import TopicPartition
from streams.state.changelogged import Changes


class LogInMemory:
    """A changelog in a list, read in blocks of two."""

    def __init__(self, name: str | None = None) -> None:
        self._name = name
        self.log: dict[TopicPartition, list[tuple[bytes, bytes | None]]] = defaultdict(list)
        self.read_from: list[int] = []

    async def append(self, source: TopicPartition, changes: Changes) -> int:
        self.log[source] += changes
        return len(self.log[source])

    async def bounds(self, source: TopicPartition) -> tuple[int, int]:
        return 0, len(self.log[source])

    def identity(self, source: TopicPartition) -> str | None:
        del source
        return self._name

    async def read(self, source: TopicPartition, start: int, end: int) -> AsyncIterator[Changes]:
        self.read_from.append(start)
        for at in range(start, end, 2):
            yield self.log[source][at : min(at + 2, end)]
