"""Style choices: which hook style a draft is asked in, by what its persona's styles are worth."""

from __future__ import annotations

import asyncio

from agents.learning.arms_directory import ArmsDirectory, arms_directory
from agents.learning.bandit.choosing import choose
from agents.learning.experiments.experiment_directory import ExperimentDirectory, assigned, experiment_directory
from agents.personas.persona import Persona
from schemas.records import HookChoice
from schemas.registries.registry import SchemaRegistry
from streams.kafka.cluster import Cluster

MAX_AGE_S = 1.0  # of what is known: arms change by the hour


class StyleChoices:
    """Choose styles by the persona's active experiment, else by the arms in force; changes need no restart."""

    def __init__(self, arms: ArmsDirectory, experiments: ExperimentDirectory | None = None) -> None:
        self._arms = arms
        self._experiments = experiments

    async def refresh(self) -> None:
        """Learn what is in force; raises `Unavailable` when that can't be done."""
        tables = [self._arms.refresh(max_age_s=MAX_AGE_S)]
        if self._experiments is not None:
            tables.append(self._experiments.refresh(max_age_s=MAX_AGE_S))
        await asyncio.gather(*tables)

    def of(self, persona: Persona, draft_id: str) -> HookChoice:
        """Return the choice for a draft: of the same arms and draft the same one, on every machine."""
        experiment = self._experiments.active(persona.persona_id) if self._experiments else None
        given = assigned(experiment, persona.hook_styles, draft_id) if experiment else None
        if experiment is not None and given is not None:
            style, propensity = given
            return HookChoice(
                style=style, propensity=propensity, arms_version=None, experiment_id=experiment.experiment_id
            )
        found = choose(self._arms.find(persona.persona_id), persona.hook_styles, draft_id)
        return HookChoice(
            style=found.style, propensity=found.propensity, arms_version=found.arms_version, experiment_id=None
        )

    async def close(self) -> None:
        """Disconnect."""
        await self._arms.close()
        if self._experiments is not None:
            await self._experiments.close()


def style_choices(cluster: Cluster, registry: SchemaRegistry) -> StyleChoices:
    """Return the choices by the real topics; nothing is connected yet."""
    return StyleChoices(arms_directory(cluster, registry), experiment_directory(cluster, registry))
