"""The report on models at the start: what will fail, or can't be paid, is told before the first request."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from datetime import date, timedelta

from agents.costs.prices import PriceList
from agents.generation.asking.model_tiers import ModelTiers
from agents.llm.client import LanguageModelClient
from agents.llm.faults.faults import is_not_there
from agents.personas.directory import PersonaDirectory
from streams.errors import RecordFault, SettingsError, Unavailable

logger = logging.getLogger(__name__)

SHUTDOWN_NOTICE = timedelta(days=60)
CHOOSE = "choose another in the persona's `models`, or in THREADS_HOOK_MODEL and THREADS_BODY_MODEL"


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
