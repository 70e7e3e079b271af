"""The role `insights`: posts that are published -> their platforms -> insights.snapshots and engagement.events."""

from __future__ import annotations

from collections.abc import Sequence

from agents.accounts.directory import account_directory
from agents.insights.stage import InsightsStage
from agents.platforms.clients import clients
from streams.engine.stage import AnyStage
from streams.kafka.cluster import Cluster
from streams.role import Role
from streams.settings import Settings


def build(settings: Settings) -> Sequence[AnyStage]:
    """Make the one stage."""
    cluster = Cluster.of(settings)
    directory = account_directory(cluster, cluster.open_registry(), settings)
    return (InsightsStage(settings, directory, lambda: clients(settings)),)


ROLE = Role("insights", build)
