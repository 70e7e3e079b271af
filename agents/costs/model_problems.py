"""Model problems: what an operator should know of the configured models before a bill or a shutdown tells it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date, timedelta

from agents.costs.prices import PriceList

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
