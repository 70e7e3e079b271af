"""Style choices: which hook style a draft is asked in, by what its persona's styles are worth."""

from __future__ import annotations

from agents.learning.arms_directory import ArmsDirectory, arms_directory
from agents.learning.bandit.choosing import choose
from agents.personas.persona import Persona
from schemas.records import HookChoice
from schemas.registries.registry import SchemaRegistry
from streams.kafka.cluster import Cluster

MAX_AGE_S = 1.0  # of what is known: arms change by the hour


class StyleChoices:
    """Choose styles by the arms in force; new ones are taken up without a restart."""

    def __init__(self, arms: ArmsDirectory) -> None:
        self._arms = arms

    async def refresh(self) -> None:
        """Learn what is in force; raises `Unavailable` when that can't be done."""
        await self._arms.refresh(max_age_s=MAX_AGE_S)

    def of(self, persona: Persona, draft_id: str) -> HookChoice:
        """Return the choice for a draft: of the same arms and draft the same one, on every machine."""
        found = choose(self._arms.find(persona.persona_id), persona.hook_styles, draft_id)
        return HookChoice(
            style=found.style, propensity=found.propensity, arms_version=found.arms_version, experiment_id=None
        )

    async def close(self) -> None:
        """Disconnect."""
        await self._arms.close()


def style_choices(cluster: Cluster, registry: SchemaRegistry) -> StyleChoices:
    """Return the choices by the real topics; nothing is connected yet."""
    return StyleChoices(arms_directory(cluster, registry))
