"""The cost of one call, in micro-dollars."""

from __future__ import annotations

from agents.costs.prices import PriceList
from agents.llm.reply import Usage

TOKENS_PER_PRICE = 1_000_000


def cost_micros(usage: Usage, model: str, prices: PriceList) -> int | None:
    """Return what a call cost, in whole micro-dollars; None when the model has no known price.

    Cached tokens are a part of the prompt tokens and cost their own price, reasoning tokens are a part of the
    completion tokens and cost the same as these. The sum is formed exactly and rounded once, half up.
    """
    price = prices.price_of(model)
    if price is None:
        return None
    cached = min(usage.cached_tokens, usage.prompt_tokens)
    exact = (
        (usage.prompt_tokens - cached) * price.input_micros
        + cached * price.cached_micros
        + usage.completion_tokens * price.output_micros
    )
    return (2 * exact + TOKENS_PER_PRICE) // (2 * TOKENS_PER_PRICE)


def sum_of_costs(costs: list[int | None]) -> int | None:
    """Return the sum; None when one of them is unknown, because the sum then is."""
    known = [cost for cost in costs if cost is not None]
    return sum(known) if len(known) == len(costs) else None
