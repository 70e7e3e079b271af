"""Compacted topics as tables: the newest record of each key, and tombstones that bury some."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import aclosing

from schemas.catalogue import Topic
from schemas.codec.rows import RowCodec
from schemas.errors import DecodeFault, RegistryUnavailable
from schemas.records import Record
from streams.engine.batch import TopicPartition
from streams.errors import Unavailable
from streams.kafka.cluster import Cluster
from streams.kafka.log_reader import LogReader
from streams.kafka.producer import EventProducer
from streams.kafka.topics import partition_counts

Place = tuple[int, bytes]
"""A partition and a key in it."""


async def newest_values(cluster: Cluster, name: str) -> dict[Place, bytes]:
    """Return the newest value of each key of a topic, hidden ones too, in the order in which they were written.

    Raises:
        Unavailable: the broker or the topic is away.
    """
    count = (await partition_counts(cluster, [name]))[name]
    sources, found = [TopicPartition(name, number) for number in range(count)], dict[Place, bytes]()
    async with (
        LogReader(cluster, with_hidden=True) as reader,
        aclosing(reader.read(await reader.whole(sources))) as blocks,
    ):
        async for source, records in blocks:
            for record in records:
                place = (source.partition, record.key or b"")
                found.pop(place, None)
                if record.value is not None:
                    found[place] = record.value
    return found


async def newest_records(cluster: Cluster, topic: Topic) -> dict[Place, Record]:
    """Return the newest record of each key of a topic, hidden ones too; those that can't be decoded are left out.

    Raises:
        Unavailable: the broker, the topic or the registry is away.
    """
    codec, found = RowCodec(cluster.open_registry()), dict[Place, Record]()
    for place, value in (await newest_values(cluster, topic.name)).items():
        try:
            found[place] = codec.decode(topic, value)
        except DecodeFault:
            continue
        except RegistryUnavailable as error:
            raise Unavailable(str(error)) from error
    return found


async def bury(cluster: Cluster, topic: Topic, places: Iterable[Place]) -> None:
    """Append a tombstone for each place, and wait for the acknowledgements.

    Raises:
        Unavailable: the broker is away; bury them again.
    """
    by_partition: dict[int, list[bytes]] = {}
    for partition, key in places:
        by_partition.setdefault(partition, []).append(key)
    async with EventProducer(cluster, cluster.open_registry()) as producer:
        for partition, keys in sorted(by_partition.items()):
            await producer.append_raw(topic.name, partition, [(key, None) for key in keys])
