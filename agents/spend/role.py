"""The role `spend`: cost.events -> spend.totals -> budget.alerts."""

from __future__ import annotations

from collections.abc import Sequence

from agents.costs.budget import BudgetLimits, BudgetPolicy
from agents.personas.directory import PersonaDirectory
from agents.personas.persona_log import KafkaPersonaLog
from agents.spend.alerts_stage import BudgetsStage
from agents.spend.totals_stage import SpendStage
from schemas.registries.registry import open_registry
from streams.endpoints import resolve
from streams.engine.stage import AnyStage
from streams.role import Role
from streams.settings import Settings


def build(settings: Settings) -> Sequence[AnyStage]:
    """Make the stage that adds up and the one that watches."""
    directory = PersonaDirectory(KafkaPersonaLog(settings, open_registry(resolve(settings).schemas)))
    return (
        SpendStage(),
        BudgetsStage(directory, BudgetPolicy.of(settings), BudgetLimits.of(settings)),
    )


ROLE = Role("spend", build)
