"""What writes, put together from the settings, with one way to close it; and what is wrong with its models."""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta

from agents.caching.postgres_cache import PostgresCache
from agents.caching.response_cache import MemoryCache, NoCache, ResponseCache, SemanticReuse
from agents.caching.settings import CachingSettings
from agents.costs.prices import PriceList
from agents.embedding.embedders import WordLlamaEmbedder
from agents.generation.asking.chat_writer import ChatWriter
from agents.generation.asking.few_shot_writer import FewShotWriter
from agents.generation.asking.writer import CallGate, ModelTiers, Writer
from agents.generation.drafting.guard import DraftGuard
from agents.generation.settings import GenerationSettings
from agents.guard.moderation import Moderator, OpenAIModerator, WordListModerator
from agents.llm.batches import BatchClient
from agents.llm.caller import ModelCaller
from agents.llm.client import LanguageModelClient
from agents.llm.faults.dialects import Dialects
from agents.llm.faults.faults import is_not_there
from agents.llm.provider import provider_of
from agents.llm.settings import CallSettings
from agents.personas.directory import PersonaDirectory
from streams.embedded.offline_models import offline_model_of
from streams.endpoints import require_postgres
from streams.errors import RecordFault, SettingsError, Unavailable
from streams.settings import Settings

logger = logging.getLogger(__name__)
SHUTDOWN_NOTICE = timedelta(days=60)
CHOOSE = "choose another in the persona's `models`, or in THREADS_HOOK_MODEL and THREADS_BODY_MODEL"


@dataclass(frozen=True, slots=True)
class Writing:
    """An open writer and guard. `languages` are those that the model writes, None any; `batches` None: it has none.

    `tiers` None: the embedded model writes alone.
    """

    writer: Writer
    guard: DraftGuard
    caller: ModelCaller
    gate: CallGate
    client: LanguageModelClient
    languages: tuple[str, ...] | None
    _closing: tuple[Callable[[], Awaitable[None]], ...]
    batches: BatchClient | None = None
    tiers: ModelTiers | None = None

    async def close(self) -> None:
        """Close the connections."""
        for close in self._closing:
            await close()


async def open_writing(settings: Settings, monotonic: Callable[[], float] = time.monotonic) -> Writing:
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
    closing = (cache.close, batches.close, client.close)
    return Writing(chat, guard, caller, gate, client, provider.languages, closing, batches, tiers)


def moderator_of(settings: Settings, client: LanguageModelClient) -> Moderator:
    """Return who moderates: OpenAI where it writes or the settings say so; the embedded model has no such endpoint."""
    provider, wanted = client.provider, settings.of(GenerationSettings).moderation
    if not provider.embedded and (wanted == "provider" or (wanted == "auto" and provider.is_openai)):
        return OpenAIModerator(client)
    return WordListModerator()


def model_problems(models: Iterable[str], prices: PriceList, offered: frozenset[str] | None, today: date) -> list[str]:
    """Return one line for each problem of the models, each with what to do; empty where there is none.

    `offered` are the models that the provider lists, None where it can't be asked; `today` is a day in UTC.
    """
    return [problem for model in sorted(set(models)) for problem in _problems(model, prices, offered, today)]


def _problems(model: str, prices: PriceList, offered: frozenset[str] | None, today: date) -> Iterator[str]:
    if prices.price_of(model, today) is None:
        yield (
            f"{model} has no price in the price list of {prices.as_of}: its calls are booked as of unknown cost and "
            "no budget holds them; add it to a copy of prices.yaml and set THREADS_PRICE_FILE"
        )
    shutdown = prices.shutdown_of(model)
    if shutdown is not None and shutdown <= today:
        yield f"{model} was shut down on {shutdown}: its calls will fail; {CHOOSE}"
    elif shutdown is not None and shutdown - today <= SHUTDOWN_NOTICE:
        days = (shutdown - today).days
        yield f"{model} is shut down on {shutdown}, in {days} day{'s' * (days != 1)}: {CHOOSE} before then"
    if offered is not None and model not in offered:
        yield f"{model} is not among the {len(offered)} models that the provider offers: {CHOOSE}"


async def report_models(
    client: LanguageModelClient, tiers: ModelTiers, directory: PersonaDirectory, prices: PriceList, today: date
) -> list[str]:
    """Log and return the problems of all models that the settings and the personas name.

    What the provider offers is asked once; one that does not say is no problem of the models, and neither are personas
    that can't be read now. Raises `SettingsError` for a key that the provider refuses.
    """
    try:
        await directory.refresh()
    except Unavailable as error:
        logger.warning("The models of personas are not looked at: %s", error)
    personas = [each.persona.models for each in directory.known()]
    own = {model for each in personas for model in (each.hooks, each.body, each.revise) if model}
    offered = await _offered(client)
    problems = model_problems({*tiers.all(), *own}, prices, offered, today)
    for problem in problems:
        logger.warning("Model %s", problem)
    return problems


async def _offered(client: LanguageModelClient) -> frozenset[str] | None:
    try:
        return await client.models()
    except (Unavailable, RecordFault) as error:
        logger.warning("The provider does not say which models it offers: %s", error)
    except SettingsError as error:
        if not is_not_there(error):
            raise
        logger.warning("The provider has no list of the models that it offers: %s", error)
    return None


def response_cache(settings: Settings) -> ResponseCache:
    """Return the cache of `llm_cache`, wrapped for semantic reuse only where `llm_semantic_reuse` is set.

    Raises:
        SettingsError: the cache is to be in PostgreSQL, and none is configured nor embedded.
    """
    wanted = settings.of(CachingSettings)
    if wanted.llm_cache == "off":
        return NoCache()
    if wanted.llm_cache == "postgres":
        cache: ResponseCache = PostgresCache(require_postgres(settings), wanted.llm_cache_bytes, wanted.llm_cache_ttl_s)
    else:
        cache = MemoryCache(wanted.llm_cache_bytes, wanted.llm_cache_ttl_s, clock=time.monotonic)
    if wanted.llm_semantic_reuse is None:
        return cache
    return SemanticReuse(cache, WordLlamaEmbedder(), wanted.llm_semantic_reuse)
