"""What writes, put together from the settings: client, caller, cache, writer and guard, with one way to close them."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from agents.generation.chat_writer import ChatWriter
from agents.generation.few_shot_writer import FewShotWriter
from agents.generation.guard import DraftGuard
from agents.generation.model_tiers import ModelTiers
from agents.generation.writer import Writer
from agents.llm.caller import ModelCaller
from agents.llm.client import LanguageModelClient
from agents.llm.provider import provider_of
from streams.settings import Settings


@dataclass(frozen=True, slots=True)
class Writing:
    """An open writer and guard. `languages` are those that the model writes, None any."""

    writer: Writer
    guard: DraftGuard
    caller: ModelCaller
    calls_at_once: int
    languages: tuple[str, ...] | None
    _client: LanguageModelClient

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()


async def open_writing(settings: Settings) -> Writing:
    """Return what suits the provider: examples to continue for the embedded model, else instructions.

    Raises:
        SettingsError: there is no provider.
    """
    client = LanguageModelClient(provider_of(settings), timeout_s=settings.llm_timeout_s)
    provider = client.provider
    at_once = asyncio.Semaphore(provider.concurrency)
    caller = ModelCaller()
    writer: Writer = FewShotWriter(client, at_once=at_once)
    if not provider.embedded:
        tiers = ModelTiers(settings.hook_model, settings.body_model, settings.fallback_model)
        writer = ChatWriter(
            client,
            caller,
            tiers,
            at_once=at_once,
            most_at_once=settings.burst_size,
            instruction_tokens=settings.instruction_tokens,
        )
    return Writing(writer, DraftGuard(), caller, provider.concurrency, provider.languages, client)
