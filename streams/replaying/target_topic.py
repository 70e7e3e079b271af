"""The topic that records are copied into: one of the catalogue, or one of its own, with the same record."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass

from schemas.catalogue import CATALOGUE, FOREVER
from schemas.codec.wire_format import schema_id_of
from schemas.errors import SchemaError
from schemas.registries.registry import SchemaRegistry
from streams.errors import SettingsError
from streams.kafka.cluster import Cluster
from streams.kafka.log_reader import read_range
from streams.kafka.record_size import batch_limit
from streams.kafka.topics import create_topics, ensure_topic, those_there

PREFIX = "topic:"


@dataclass(frozen=True, slots=True)
class TargetTopic:
    """A topic that takes copies; `as_many_partitions` are the sources that have as many partitions as it."""

    name: str
    partitions: int
    in_catalogue: bool
    as_many_partitions: frozenset[str]


async def target_topic(
    cluster: Cluster, registry: SchemaRegistry, name: str, sources: Sequence[str], *, create: bool
) -> TargetTopic:
    """Return the topic to copy into; one that is not there is made like the first source, kept for ever.

    With `create` false it is only checked.

    Raises:
        SettingsError: it is one of the sources, holds other records, or keeps only the newest of each key.
        Unavailable: the broker is away.
    """
    known = {topic.name: topic for topic in CATALOGUE}
    if name in sources:
        raise SettingsError(f"{name} can't be replayed into itself: every reader of it would have the records twice")
    records = {known[each].record for each in sources}
    if len(records) > 1:
        raise SettingsError(
            f"{', '.join(sorted(sources))} have different records: replay them into topics of their own"
        )
    [record] = records
    if name in known:
        if known[name].record is not record:
            theirs = known[name].record.__name__
            raise SettingsError(f"{name} holds {theirs} records, {sources[0]} {record.__name__}: take another topic")
        if known[name].compacted:
            raise SettingsError(f"{name} keeps the newest record of each key: old ones replayed into it would undo it")
    counts = await those_there(cluster, [name, *sources])
    if name in counts and name not in known:
        await _require_same_record(cluster, registry, name, record.schema_name)
    if name not in counts and create and name in known:
        await create_topics(cluster, [name])
        counts |= await those_there(cluster, [name])
    elif name not in counts and create:
        config = {
            "cleanup.policy": "delete",
            "retention.ms": str(FOREVER),  # records keep their times: by the broker's default they would go at once
            "max.message.bytes": str(max(batch_limit(each, cluster.settings) for each in sources)),
        }
        await ensure_topic(cluster, name, counts[sources[0]], config)
    partitions = counts.get(name, counts[sources[0]])
    alike = frozenset(each for each in sources if counts[each] == partitions)
    return TargetTopic(name, partitions, name in known, alike)


async def _require_same_record(cluster: Cluster, registry: SchemaRegistry, name: str, wanted: str) -> None:
    """Look at the first record of a topic that no catalogue describes."""
    async with aclosing(read_range(cluster, name)) as blocks:
        async for _, records in blocks:
            try:
                found = await asyncio.to_thread(registry.writer_schema, schema_id_of(records[0].value))
            except SchemaError as error:
                raise SettingsError(f"{name} holds records that are not known here: {error}") from error
            theirs = found.schema.get("name") if isinstance(found.schema, dict) else None
            if theirs != wanted:
                raise SettingsError(f"{name} holds {theirs} records, not {wanted}: take another topic")
            return
