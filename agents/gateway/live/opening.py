"""What routes of topics work with: the hub of the live feed, the scan of the browser, and the report of lag."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass

from agents.gateway.live.hub import Hub, HubLimits
from agents.gateway.live.lag import LagReport
from agents.gateway.live.readers import LogReaders
from agents.gateway.live.scan import TopicScan
from agents.gateway.live.topic_list import TopicList
from agents.gateway.settings import GatewaySettings
from schemas.registries.registry import SchemaRegistry
from streams.kafka.cluster import Cluster
from streams.role_names import role_names

LOOKING_READERS = 3  # who browses waits for who browses, and for nobody else


@dataclass(frozen=True, slots=True)
class Live:
    """The topics as they are now."""

    hub: Hub
    scan: TopicScan
    topics: TopicList
    lag: LagReport


@contextlib.asynccontextmanager
async def live_topics(cluster: Cluster, registry: SchemaRegistry) -> AsyncIterator[Live]:
    """Have the topics at hand while the context lasts; connections are made when they are needed."""
    wanted = cluster.settings.of(GatewaySettings)
    limits = HubLimits(
        wanted.gateway_feed_ring_bytes, wanted.gateway_feed_listeners, wanted.gateway_feed_listeners_per_caller
    )
    hub, looking = Hub(cluster, registry, limits), LogReaders(cluster, LOOKING_READERS)
    lag = LagReport(cluster, role_names())
    try:
        yield Live(hub, TopicScan(looking, registry), TopicList(looking, cluster.settings), lag)
    finally:
        await hub.close()
        await lag.close()
        await looking.close()
