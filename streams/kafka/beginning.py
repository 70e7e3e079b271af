"""Where the first reading of a topic's tail begins: at all there is, some records back, or at what comes next."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from aiokafka.structs import ConsumerRecord


@dataclass(frozen=True, slots=True)
class Beginning:
    """The last `reach` records of each partition, and of those the last `per_key` of each key; None is no limit."""

    reach: int | None = None
    per_key: int | None = None

    def start(self, first: int, end: int) -> int:
        """Return the offset to begin at in a log that has records from `first` up to before `end`."""
        return first if self.reach is None else max(first, end - self.reach)


WHOLE = Beginning()
END = Beginning(reach=0)


class NewestOfKeys:
    """The last records of each key of a topic; within a key they keep the order in which they were taken."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, bytes | None], deque[ConsumerRecord]] = {}

    def take(self, records: Iterable[ConsumerRecord], per_key: int) -> None:
        """Take records in, and let go of those that have `per_key` newer ones of their key."""
        for record in records:
            self._kept.setdefault((record.topic, record.key), deque(maxlen=per_key)).append(record)

    def __iter__(self) -> Iterator[ConsumerRecord]:
        for of_key in self._kept.values():
            yield from of_key
