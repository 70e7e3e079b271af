"""The topics of spending as a reader meets them: spend.totals kept up with, and the budget.alerts of a day."""

from __future__ import annotations

import logging
from datetime import datetime

from agents.spend.budgets import SpendDirectory
from schemas.catalogue import topic_named
from schemas.codec.rows import RowCodec
from schemas.errors import DecodeFault, RegistryUnavailable
from schemas.records import BudgetAlert, SpendTotal
from schemas.registries.registry import SchemaRegistry
from streams.engine.batch import TopicPartition
from streams.errors import Unavailable
from streams.kafka.cluster import Cluster
from streams.kafka.log_reader import LogReader
from streams.kafka.topic_tail import WHOLE, TopicTail
from streams.kafka.topics import partition_counts

logger = logging.getLogger(__name__)

ALERTS = topic_named("budget.alerts")


def spend_directory(cluster: Cluster, registry: SchemaRegistry) -> SpendDirectory:
    """Return a directory of the real topic; nothing is connected yet."""
    return SpendDirectory(TopicTail(cluster, registry, {topic_named("spend.totals"): WHOLE}, SpendTotal))


async def alerts_since(cluster: Cluster, registry: SchemaRegistry, since: datetime) -> list[BudgetAlert]:
    """Return the alerts that were told since a moment, the oldest first, each once.

    Raises:
        Unavailable: Kafka does not answer.
    """
    codec = RowCodec(registry)
    count = (await partition_counts(cluster, [ALERTS.name]))[ALERTS.name]
    sources = [TopicPartition(ALERTS.name, number) for number in range(count)]
    found: dict[str, BudgetAlert] = {}
    async with LogReader(cluster) as reader:
        ends = {source: end for source, (_, end) in (await reader.whole(sources)).items()}
        starts = await reader.at_time(sources, round(since.timestamp() * 1000))
        bounds = {source: (start, ends[source]) for source, start in starts.items() if start is not None}
        async for source, block in reader.read(bounds):
            for record in block:
                try:
                    alert = codec.decode(ALERTS, record.value)
                except DecodeFault as fault:
                    logger.warning("Passed over offset %d of %s: %s", record.offset, source, fault)
                    continue
                except RegistryUnavailable as error:
                    raise Unavailable(str(error)) from error
                assert isinstance(alert, BudgetAlert)
                found.setdefault(alert.event_id, alert)
    return sorted(found.values(), key=lambda alert: alert.occurred_at)
