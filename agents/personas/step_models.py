"""Models by step: which model writes which part of a persona's posts."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, StringConstraints

ModelName = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=120)]


class StepModels(BaseModel):
    """The models of the steps of generation; None leaves a step to the settings."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    hooks: ModelName | None = None
    body: ModelName | None = None
    revise: ModelName | None = None
