"""Partition counters: what one partition's records add up to, each counter stamped with the offset it is at."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping

from sinks.prometheus.increments import CounterKey, Increment


class PartitionCounters:
    """Counters of one source partition that a replayed record does not move.

    Every counter carries the offset of the last record in it. A checkpoint broken off by a crash may have made some
    counters durable and others not: the records that come again are skipped by the first and counted by the others.
    """

    def __init__(self) -> None:
        self._values: dict[CounterKey, tuple[int, int]] = {}  # value, offset
        self._changed: set[CounterKey] = set()

    @property
    def values(self) -> Mapping[CounterKey, int]:
        """Return a copy of the counters' values."""
        return {key: value for key, (value, _) in self._values.items()}

    def restore(self, key: bytes, value: bytes) -> None:
        """Take over a counter as `changes` encoded it."""
        count, offset = value.split(b" ")
        self._values[tuple(json.loads(key))] = (int(count), int(offset))

    def apply(self, offset: int, increments: Iterable[Increment]) -> None:
        """Add the increments of the record at `offset`, each key at most once, to the counters that are not past it."""
        for key, by in increments:
            value, last = self._values.get(key, (0, -1))
            if offset > last:
                self._values[key] = (value + by, offset)
                self._changed.add(key)

    def changes(self) -> list[tuple[bytes, bytes]]:
        """Return the counters changed since the last call, with their encoded values (of any size)."""
        changed = [(_encoded(key), b"%d %d" % self._values[key]) for key in sorted(self._changed)]
        self._changed.clear()
        return changed


def _encoded(key: CounterKey) -> bytes:
    return json.dumps(key, ensure_ascii=False, separators=(",", ":")).encode()
