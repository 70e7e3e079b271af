"""The report on models at the start: what will fail, or can't be paid, is told before the first request."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from datetime import date

from agents.costs.model_problems import model_problems
from agents.costs.prices import PriceList
from agents.generation.asking.model_tiers import ModelTiers
from agents.llm.client import LanguageModelClient
from agents.llm.faults.faults import is_not_there
from agents.personas.persona import Persona
from streams.errors import RecordFault, SettingsError, Unavailable

logger = logging.getLogger(__name__)


async def report_models(
    client: LanguageModelClient, tiers: ModelTiers, personas: Iterable[Persona], prices: PriceList, today: date
) -> list[str]:
    """Log and return the problems of all models that the settings and the personas name.

    What the provider offers is asked once; one that does not say is no problem of the models. Raises `SettingsError`
    for a key that it refuses.
    """
    own = {model for each in personas for model in (each.models.hooks, each.models.body, each.models.revise) if model}
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
