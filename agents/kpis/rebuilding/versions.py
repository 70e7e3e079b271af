"""Versions of the KPI state on the broker: written beside the live one, listed, dropped."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from agents.kpis.merge import APPLIED, CATCH_UP, MergePart, MergeStage
from agents.kpis.partials import TOPIC as PARTIALS
from agents.kpis.rebuilding.log import ROLE
from agents.kpis.tables.counter_table import NOTHING_APPLIED
from streams.errors import ThreadsError
from streams.kafka.cluster import Cluster
from streams.kafka.consumer_lag import LagReader
from streams.kafka.producer import EventProducer
from streams.kafka.topics import delete_topic, ensure_topic, topic_names
from streams.state.kafka_changelog import CHANGELOG_CONFIG, changelog_name, version_in
from streams.state.versions import LiveVersions

STAGE = MergeStage.name
UNSTAMPED = struct.pack("<q", NOTHING_APPLIED)


@dataclass(frozen=True, slots=True)
class Version:
    """A version of the state that has a changelog; `size_bytes` is that of its logs on one broker."""

    number: int
    changelog: str
    is_live: bool
    size_bytes: int


def changelog_of(version: int) -> str:
    """Return the changelog of a version."""
    return changelog_name(ROLE, STAGE, PARTIALS, version)


async def live_version(cluster: Cluster) -> int:
    """Return the version in force.

    Raises:
        Unavailable: the broker or the registry is away.
    """
    return (await LiveVersions.of(cluster).read_once()).of_state(ROLE, STAGE)


async def versions(cluster: Cluster) -> list[Version]:
    """Return the versions there are, in their order; raises as `live_version` does."""
    live = await live_version(cluster)
    names = await topic_names(cluster)
    found = {version_in(name): name for name in names if name == changelog_of(version_in(name))}
    async with LagReader(cluster) as reader:
        sizes = next(iter((await reader.log_sizes()).values()), {})
    return [Version(number, name, number == live, sizes.get(name, 0)) for number, name in sorted(found.items())]


async def drop(cluster: Cluster, number: int) -> None:
    """Delete a version that is not live.

    Raises:
        ThreadsError: it is live, or there is none of that number.
        Unavailable: the broker is away.
    """
    there = {each.number: each for each in await versions(cluster)}
    if number not in there:
        known = ", ".join(map(str, there)) or "none"
        raise ThreadsError(f"there is no version {number} of the KPI state; there are: {known}")
    if there[number].is_live:
        raise ThreadsError(f"version {number} of the KPI state is the live one; rebuild and switch to another first")
    await delete_topic(cluster, there[number].changelog)


async def write(cluster: Cluster, number: int, parts: list[MergePart], catch_up_from: list[int]) -> None:
    """Write a state as a new version.

    Partials from `catch_up_from` on, by partition, are added by whoever takes it over, each once: rows have the stamp
    that lets all of them in, and how far each source is applied says which are in already.

    Raises:
        Unavailable: the broker is away; the version is half there, and of no use.
    """
    await ensure_topic(cluster, changelog_of(number), len(parts), CHANGELOG_CONFIG)
    async with EventProducer(cluster, cluster.open_registry()) as producer:
        for partition, (part, start) in enumerate(zip(parts, catch_up_from, strict=True)):
            rows = [(key, value) for key, value in part.flush().changes if value is not None]
            changes = [(key, value if key.startswith(APPLIED) else UNSTAMPED + value[8:]) for key, value in rows]
            await producer.append_raw(changelog_of(number), partition, [(CATCH_UP, struct.pack("<q", start)), *changes])
