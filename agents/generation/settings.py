"""Which models write, how much at once, and who moderates."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from streams.settings import SettingsGroup


class GenerationSettings(SettingsGroup):
    """Which models write, how much at once, and who moderates."""

    hook_model: str = Field("gpt-6.1-terra", description="Model for hooks, where a provider is configured.")
    body_model: str = Field("gpt-6-luna", description="Model for bodies, where a provider is configured.")
    fallback_model: str | None = Field(
        None, description="Model that takes over when those of hooks and bodies are away."
    )
    burst_size: int = Field(
        4, ge=1, le=20, description="Greatest number of drafts of one persona that one structured call writes."
    )
    instruction_tokens: int = Field(
        300, ge=100, description="Tokens of a persona's instructions (estimated), above which examples are left out."
    )
    batch_size: int = Field(
        200, ge=1, le=50_000, description="Requests with deadline tomorrow that make a batch of the batch API."
    )
    batch_wait_s: float = Field(
        600.0, gt=0, le=86_400, description="Time after which a batch is made of fewer requests."
    )
    batch_poll_s: float = Field(30.0, gt=0, le=3_600, description="Time between two looks at the batches under way.")
    request_time_s: float = Field(
        300.0, gt=0, description="Time within which a request is to be written, from its occurred_at; parked ones not."
    )
    alert_request_objective: float = Field(
        0.99, gt=0.5, lt=1, description="Share of requests that must be written in that time, and not dead-lettered."
    )
    moderation: Literal["auto", "provider", "words"] = Field(
        "auto",
        description="Who moderates drafts: the provider, or word lists; auto: OpenAI where it writes.",
    )
