"""How models are called, whoever provides them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator
from pydantic_settings import NoDecode

from streams.settings import SettingsGroup

Omitted = Literal["temperature", "seed", "response_format", "max_tokens"]


class CallSettings(SettingsGroup):
    """How models are called, whoever provides them."""

    llm_timeout_s: float = Field(60.0, gt=0, le=600, description="Time-out of one model call.")
    llm_omit: Annotated[tuple[Omitted, ...] | None, NoDecode] = Field(
        None,
        description="Parameters that models do not take, with commas between: temperature, seed, response_format, "
        "max_tokens; what a provider refuses is left out by itself.",
    )
    llm_concurrency: int = Field(8, ge=1, le=1024, description="Model calls in flight.")

    @field_validator("llm_omit", mode="before")
    @classmethod
    def _listed(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        return tuple(name.strip() for name in value.split(",") if name.strip()) or None
