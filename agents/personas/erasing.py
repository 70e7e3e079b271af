"""Erase a persona from the topic of personas."""

from __future__ import annotations

from collections.abc import Sequence

from agents.personas.persona_topic import TOPIC
from streams.erasers import Holding
from streams.kafka.cluster import Cluster
from streams.kafka.compacted import bury, newest_records
from streams.settings import Settings


async def erase(settings: Settings, key: str, *, dry_run: bool) -> Sequence[Holding]:
    """Bury the definition of a persona, if there is one: requests for it are dead-lettered then."""
    cluster = Cluster.of(settings)
    places = [place for place in await newest_records(cluster, TOPIC) if place[1] == key.encode()]
    if places and not dry_run:
        await bury(cluster, TOPIC, places)
    return [Holding("kafka", f"definitions in {TOPIC.name}", len(places))]
