"""Savings: what each measure spared in a call, against the same call without it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date

from agents.costs.cost import cost_micros
from agents.costs.prices import PriceList
from agents.generation.asking.answers import Answers
from agents.llm.answers.reply import Reply, Usage
from schemas.records import SavingMeasure


@dataclass(frozen=True, slots=True)
class Saving:
    """Tokens that were not sent or received, and money not spent in micro-dollars; None where a price is unknown."""

    measure: SavingMeasure
    prompt_tokens: int
    completion_tokens: int
    micros: int | None


def saving_of_cached(reply: Reply, prices: PriceList, on: date) -> Saving:
    """Return what a remembered reply spared: all that it used when it was made, at the prices of the day."""
    usage = reply.usage
    micros = cost_micros(usage, reply.model, prices, on=on)
    return Saving("cache", usage.prompt_tokens, usage.completion_tokens, micros)


def savings_of(answers: Answers, reply: Reply, prices: PriceList, on: date) -> tuple[Saving, ...]:
    """Return what was spared in a call, measure by measure, each against the call as it was made.

    tier: the same tokens at the price of the dearer model. template and burst: prompt tokens left out (estimated).
    batch: the difference to the ordinary price. provider_cache: that of cached prompt tokens to their ordinary price.
    """
    thrift, usage, model = answers.thrift, reply.usage, reply.model

    def price(used: Usage, of: str, *, batch: bool = False) -> int | None:
        return cost_micros(used, of, prices, on=on, batch=batch)

    found = []
    if thrift.instead_of_model is not None:
        found.append(Saving("tier", 0, 0, _less(price(usage, thrift.instead_of_model), price(usage, model))))
    for measure, tokens in _left_out(answers):
        found.append(Saving(measure, tokens, 0, price(Usage(prompt_tokens=tokens), model)))
    if answers.batch:
        found.append(Saving("batch", 0, 0, _less(price(usage, model), price(usage, model, batch=True))))
    if usage.cached_tokens:
        uncached = price(replace(usage, cached_tokens=0), model)
        found.append(Saving("provider_cache", 0, 0, _less(uncached, price(usage, model))))
    return tuple(found)


def _left_out(answers: Answers) -> list[tuple[SavingMeasure, int]]:
    thrift = answers.thrift
    measures: list[tuple[SavingMeasure, int]] = [("template", thrift.template_tokens), ("burst", thrift.burst_tokens)]
    return [(measure, tokens) for measure, tokens in measures if tokens > 0]


def _less(without: int | None, with_it: int | None) -> int | None:
    return None if without is None or with_it is None else without - with_it
