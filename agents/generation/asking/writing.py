"""What writes, put together from the settings: client, caller, cache, writer and guard, with one way to close them."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime

from agents.caching.cache_choice import response_cache
from agents.generation.asking.call_gate import CallGate
from agents.generation.asking.chat_writer import ChatWriter
from agents.generation.asking.few_shot_writer import FewShotWriter
from agents.generation.asking.model_tiers import ModelTiers
from agents.generation.asking.writer import Writer
from agents.generation.drafting.guard import DraftGuard
from agents.generation.kept.batch_jobs import BatchDesk, BatchTerms
from agents.generation.settings import GenerationSettings
from agents.guard.moderation import Moderator, OpenAIModerator, WordListModerator
from agents.llm.batches import BatchClient
from agents.llm.caller import ModelCaller
from agents.llm.client import LanguageModelClient
from agents.llm.faults.dialects import Dialects
from agents.llm.provider import provider_of
from agents.llm.settings import CallSettings
from streams.embedded.offline_models import offline_model_of
from streams.settings import Settings


@dataclass(frozen=True, slots=True)
class Writing:
    """An open writer and guard. `languages` are those that the model writes, None any; `desk` None: no batches.

    `tiers` None: the embedded model writes alone.
    """

    writer: Writer
    guard: DraftGuard
    caller: ModelCaller
    gate: CallGate
    client: LanguageModelClient
    languages: tuple[str, ...] | None
    _closing: tuple[Callable[[], Awaitable[None]], ...]
    desk: BatchDesk | None = None
    tiers: ModelTiers | None = None

    async def close(self) -> None:
        """Close the connections."""
        for close in self._closing:
            await close()


async def open_writing(
    settings: Settings, clock: Callable[[], datetime], monotonic: Callable[[], float] = time.monotonic
) -> Writing:
    """Return what suits the provider: examples to continue for the embedded model, else instructions.

    Raises:
        SettingsError: there is no provider.
    """
    calls, wanted = settings.of(CallSettings), settings.of(GenerationSettings)
    dialects = Dialects(calls.llm_omit or ())
    client = LanguageModelClient(provider_of(settings), timeout_s=calls.llm_timeout_s, dialects=dialects)
    provider, gate = client.provider, CallGate(client.provider.concurrency)
    caller, guard = ModelCaller(clock=monotonic, sleep=gate.pause), DraftGuard(moderator_of(settings, client))
    if provider.embedded:
        model = offline_model_of(settings.offline_model)
        few_shot = FewShotWriter(client, gate=gate, model=model.served_as)
        return Writing(few_shot, guard, caller, gate, client, model.languages, _closing=(client.close,))
    tiers = ModelTiers(wanted.hook_model, wanted.body_model, wanted.fallback_model)
    cache = response_cache(settings)
    batches = BatchClient(provider, timeout_s=calls.llm_timeout_s, dialects=dialects)
    chat = ChatWriter(
        client,
        caller,
        cache,
        tiers,
        gate=gate,
        most_at_once=wanted.burst_size,
        instruction_tokens=wanted.instruction_tokens,
    )
    desk = BatchDesk(batches, tiers, BatchTerms(wanted.batch_size, wanted.instruction_tokens), clock)
    closing = (cache.close, batches.close, client.close)
    return Writing(chat, guard, caller, gate, client, provider.languages, closing, desk, tiers)


def moderator_of(settings: Settings, client: LanguageModelClient) -> Moderator:
    """Return who moderates: OpenAI where it writes or the settings say so; the embedded model has no such endpoint."""
    provider, wanted = client.provider, settings.of(GenerationSettings).moderation
    if not provider.embedded and (wanted == "provider" or (wanted == "auto" and provider.is_openai)):
        return OpenAIModerator(client)
    return WordListModerator()
