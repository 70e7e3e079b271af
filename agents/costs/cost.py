"""The cost of one call, in micro-dollars."""

from __future__ import annotations

from datetime import date

from agents.costs.prices import PriceList
from agents.llm.answers.reply import Usage
from schemas.record_rules import MAX_AMOUNT

TOKENS_PER_PRICE = 1_000_000


def cost_micros(usage: Usage, model: str, prices: PriceList, *, on: date, batch: bool = False) -> int | None:
    """Return what a call on a day (UTC) cost, in whole micro-dollars; None when that is not known.

    It is unknown when the model has no known price then, or the provider did not tell the tokens, unless all of them
    are free; so is a cost beyond what a cost event can hold, which no call has.

    Cached tokens are a part of the prompt tokens and cost their own price, reasoning tokens are a part of the
    completion tokens and cost the same as these. `batch` takes the prices of the Batch API. The sum is formed exactly
    and rounded once, half up.
    """
    price = prices.price_of(model, on)
    if price is None:
        return None
    if usage.is_unknown and price.is_charged:
        return None
    cached = min(usage.cached_tokens, usage.prompt_tokens)
    sent, known, received = (
        (price.batch_input_micros, price.batch_cached_micros, price.batch_output_micros)
        if batch
        else (price.input_micros, price.cached_micros, price.output_micros)
    )
    exact = (usage.prompt_tokens - cached) * sent + cached * known + usage.completion_tokens * received
    cost = (2 * exact + TOKENS_PER_PRICE) // (2 * TOKENS_PER_PRICE)
    return cost if cost <= MAX_AMOUNT else None


def sum_of_costs(costs: list[int | None]) -> int | None:
    """Return the sum; None when one of them is unknown, because the sum then is."""
    known = [cost for cost in costs if cost is not None]
    return sum(known) if len(known) == len(costs) else None
