"""A tail that is a list: topics as the test says, without Kafka."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Generic

from streams.errors import Unavailable
from streams.kafka.tailed_table import RecordType, TailEntry, TailReading


class ListedTail(Generic[RecordType]):
    """Reads the records and tombstones that were appended under keys."""

    def __init__(self, entries: Iterable[tuple[str, RecordType | None]] = ()) -> None:
        self.readings = 0
        self.is_away = False
        self._log: list[tuple[int, TailEntry[RecordType]]] = []
        self._end = self._read_up_to = 0
        for key, record in entries:
            self.append(key, record)

    def append(self, key: str, record: RecordType | None) -> None:
        """Append a record, or a tombstone."""
        self._log.append((self._end, TailEntry(key.encode(), record)))
        self._end += 1

    def compact(self) -> None:
        """Keep the newest record of each key, where it stands, and no tombstone."""
        newest = {entry.key: (offset, entry) for offset, entry in self._log}
        kept = [each for each in newest.values() if each[1].record is not None]
        self._log = sorted(kept, key=lambda each: each[0])

    async def read_on(self, *, anew: bool = False) -> TailReading[RecordType]:
        self.readings += 1
        if self.is_away:
            raise Unavailable("the list is away")
        start, self._read_up_to = 0 if anew else self._read_up_to, self._end
        return TailReading(anew, [entry for offset, entry in self._log if offset >= start])

    async def close(self) -> None:
        """Nothing is open."""
