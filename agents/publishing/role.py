"""The role `publishing`: drafts and reviews -> posts.commands -> posts on platforms, posts.states, posts.published."""

from __future__ import annotations

from collections.abc import Sequence

from agents.accounts.directory import account_directory
from agents.personas.persona_topic import persona_directory
from agents.platforms.clients import clients
from agents.publishing.notice_stage import NoticeStage
from agents.publishing.propose_stage import ProposeStage
from agents.publishing.publish_stage import PublishStage
from streams.engine.stage import AnyStage
from streams.kafka.cluster import Cluster
from streams.role import Role
from streams.settings import Settings


def build(settings: Settings) -> Sequence[AnyStage]:
    """Make the stages."""
    cluster = Cluster.of(settings)
    registry = cluster.open_registry()
    accounts, personas = account_directory(cluster, registry, settings), persona_directory(cluster, registry)
    publish = PublishStage(settings, lambda: clients(settings), accounts, personas)
    propose = ProposeStage(persona_directory(cluster, registry))
    notice = NoticeStage(account_directory(cluster, registry, settings), persona_directory(cluster, registry))
    return (propose, publish, notice)


ROLE = Role("publishing", build)
