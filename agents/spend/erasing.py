"""Erase what a persona spent from the topic of totals; alerts of it are hidden in theirs."""

from __future__ import annotations

from collections.abc import Sequence

from schemas.catalogue import topic_named
from schemas.records import SpendTotal
from streams.erasers import Holding
from streams.kafka.cluster import Cluster
from streams.kafka.compacted import bury, newest_records
from streams.settings import Settings

TOPIC = topic_named("spend.totals")


async def erase(settings: Settings, key: str, *, dry_run: bool) -> Sequence[Holding]:
    """Bury the totals of a persona's days."""
    cluster = Cluster.of(settings)
    found = await newest_records(cluster, TOPIC)
    places = [place for place, total in found.items() if isinstance(total, SpendTotal) and total.persona_id == key]
    if places and not dry_run:
        await bury(cluster, TOPIC, places)
    return [Holding("kafka", f"days in {TOPIC.name}", len(places))]
