"""The alerts of a day, read from budget.alerts."""

from __future__ import annotations

import logging
from datetime import datetime

from schemas.catalogue import topic_named
from schemas.codec.rows import RowCodec
from schemas.errors import DecodeFault, RegistryUnavailable
from schemas.records import BudgetAlert
from schemas.registries.registry import SchemaRegistry
from streams.endpoints import require_kafka
from streams.engine.batch import TopicPartition
from streams.errors import Unavailable
from streams.kafka.log_reader import LogReader
from streams.kafka.topics import partition_counts
from streams.settings import Settings

logger = logging.getLogger(__name__)

TOPIC = topic_named("budget.alerts")


async def alerts_since(settings: Settings, registry: SchemaRegistry, since: datetime) -> list[BudgetAlert]:
    """Return the alerts that were told since a moment, the oldest first, each once.

    Raises:
        Unavailable: Kafka does not answer.
    """
    bootstrap = require_kafka(settings)
    codec = RowCodec(registry)
    count = (await partition_counts(settings, bootstrap, [TOPIC.name]))[TOPIC.name]
    sources = [TopicPartition(TOPIC.name, number) for number in range(count)]
    found: dict[str, BudgetAlert] = {}
    async with LogReader(settings, bootstrap) as reader:
        ends = {source: end for source, (_, end) in (await reader.whole(sources)).items()}
        starts = await reader.at_time(sources, round(since.timestamp() * 1000))
        bounds = {source: (start, ends[source]) for source, start in starts.items() if start is not None}
        async for source, block in reader.read(bounds):
            for record in block:
                try:
                    alert = codec.decode(TOPIC, record.value)
                except DecodeFault as fault:
                    logger.warning("Passed over offset %d of %s: %s", record.offset, source, fault)
                    continue
                except RegistryUnavailable as error:
                    raise Unavailable(str(error)) from error
                assert isinstance(alert, BudgetAlert)
                found.setdefault(alert.event_id, alert)
    return sorted(found.values(), key=lambda alert: alert.occurred_at)
