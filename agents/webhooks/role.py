"""The role `webhooks`: events of several topics -> receivers that subscribed -> webhooks.deliveries."""

from __future__ import annotations

from collections.abc import Sequence

from agents.personas.persona_topic import persona_directory
from agents.webhooks.stage import WebhooksStage
from agents.webhooks.subscriptions import subscriptions_of
from streams.engine.stage import AnyStage
from streams.kafka.cluster import Cluster
from streams.role import Role
from streams.settings import Settings


def build(settings: Settings) -> Sequence[AnyStage]:
    """Make the one stage."""
    cluster = Cluster.of(settings)
    registry = cluster.open_registry()
    directory = persona_directory(cluster, registry)
    return (WebhooksStage(settings, subscriptions_of(cluster, registry), directory),)


ROLE = Role("webhooks", build)
