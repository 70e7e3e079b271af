"""The role `spend`: cost.events -> spend.totals -> budget.alerts."""

from __future__ import annotations

from collections.abc import Sequence

from agents.costs.budget import BudgetLimits, BudgetPolicy
from agents.personas.persona_topic import persona_directory
from agents.spend.stages import BudgetsStage, SpendStage
from streams.engine.stage import AnyStage
from streams.kafka.cluster import Cluster
from streams.role import Role
from streams.settings import Settings


def build(settings: Settings) -> Sequence[AnyStage]:
    """Make the stage that adds up and the one that watches."""
    cluster = Cluster.of(settings)
    directory = persona_directory(cluster, cluster.open_registry())
    return (
        SpendStage(),
        BudgetsStage(directory, BudgetPolicy.of(settings), BudgetLimits.of(settings)),
    )


ROLE = Role("spend", build)
