"""How large the state in a changelog is, read from the topic itself."""

from __future__ import annotations

from dataclasses import dataclass

from streams.kafka.log_reader import read_range
from tests.benchmarks.running.own_broker import Broker


@dataclass(frozen=True, slots=True)
class ChangelogSize:
    """Live keys of a changelog, the records it has (compaction drops old ones of a key), and its size on disk."""

    keys: int
    records: int
    key_and_value_bytes: int
    log_bytes: int


async def changelog_size(broker: Broker, topic: str) -> ChangelogSize:
    """Read a changelog from its beginning; a key whose last record is a tombstone is not live."""
    live: set[tuple[int, bytes]] = set()
    records = size = 0
    async for source, block in read_range(broker.cluster(), topic):
        for record in block:
            key = (source.partition, record.key or b"")
            if record.value is None:
                live.discard(key)
            else:
                live.add(key)
            size += len(key[1]) + len(record.value or b"")
        records += len(block)
    return ChangelogSize(len(live), records, size, broker.log_bytes(topic))
