"""Which partition a key goes to: murmur2, as Kafka's Java clients and aiokafka do, remembered by key."""

from __future__ import annotations

import random
from functools import lru_cache

from aiokafka.partitioner import DefaultPartitioner

REMEMBERED_KEYS = 100_000

_partitioner = DefaultPartitioner()


@lru_cache(maxsize=REMEMBERED_KEYS)
def partition_of(key: bytes, partitions: int) -> int:
    """Return the partition of a key in a topic with this many partitions."""
    everywhere = list(range(partitions))
    return int(_partitioner(key, everywhere, everywhere))


def any_partition(partitions: int) -> int:
    """Return some partition, for records without a key."""
    return random.randrange(partitions)  # noqa: S311 - spreads load, guards nothing
