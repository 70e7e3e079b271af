"""Model tiers: which model writes which step, and which ones take its place when it is away or too dear."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from agents.generation.assignment import Assignment

Step = Literal["hook", "body", "revise"]


@dataclass(frozen=True, slots=True)
class ModelTiers:
    """The models of the platform: `strong` for hooks, `cheap` for bodies and revisions, `fallback` after both."""

    strong: str
    cheap: str
    fallback: str | None = None

    def models_for(self, step: Step, assignment: Assignment) -> tuple[str, ...]:
        """Return the models to try in order: the persona's own for the step, the step's tier, then the others.

        A downgraded assignment has neither the persona's own nor the strong model.
        """
        if assignment.downgraded:
            return _distinct(self.cheap, self.fallback)
        models = assignment.persona.models
        own = {"hook": models.hooks, "body": models.body, "revise": models.revise or models.body}[step]
        tier = (self.strong, self.cheap) if step == "hook" else (self.cheap, self.strong)
        return _distinct(own, *tier, self.fallback)

    def all(self) -> tuple[str, ...]:
        """Return every model of the platform, once each."""
        return _distinct(self.strong, self.cheap, self.fallback)


def _distinct(*models: str | None) -> tuple[str, ...]:
    return tuple(dict.fromkeys(model for model in models if model))
