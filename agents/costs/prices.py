"""Prices of models, each from a day on, what a call costs by them, and when models are shut down."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Annotated

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from agents.llm.answers.reply import Usage
from schemas.record_rules import MAX_AMOUNT
from streams.errors import SettingsError

_SNAPSHOT = re.compile(r"-\d{4}-\d{2}-\d{2}$")
PRICE_FILE = Path(__file__).with_name("prices.yaml")
MICROS_PER_DOLLAR = 1_000_000
Dollars = Annotated[Decimal, Field(ge=0, decimal_places=6)]
TOKENS_PER_PRICE = 1_000_000


@dataclass(frozen=True, slots=True)
class ModelPrice:
    """Price of a model in micro-dollars per 1,000,000 tokens; `since` None: as far back as is known."""

    input_micros: int
    cached_micros: int
    output_micros: int
    batch_input_micros: int
    batch_cached_micros: int
    batch_output_micros: int
    since: date | None = None

    @property
    def is_charged(self) -> bool:
        """Tell whether any token costs anything."""
        online = (self.input_micros, self.cached_micros, self.output_micros)
        return any((*online, self.batch_input_micros, self.batch_cached_micros, self.batch_output_micros))


@dataclass(frozen=True, slots=True)
class ModelEntry:
    """What the price file says of a model: its prices, oldest first, and the day it is shut down."""

    prices: tuple[ModelPrice, ...]
    shutdown: date | None = None

    def price_on(self, on: date) -> ModelPrice | None:
        """Return the price in force on a day; None before the first."""
        in_force = [price for price in self.prices if price.since is None or price.since <= on]
        return in_force[-1] if in_force else None


@dataclass(frozen=True, slots=True)
class PriceList:
    """The models of a price file. `as_of` is the day on which it was checked, `source` against what."""

    as_of: date
    source: str
    models: Mapping[str, ModelEntry] = field(default_factory=dict)

    def with_free(self, model: str) -> PriceList:
        """Return the list with a model that costs nothing, where it has no price for it."""
        free = ModelEntry((ModelPrice(0, 0, 0, 0, 0, 0),))
        return self if model in self.models else replace(self, models={**self.models, model: free})

    def entry_of(self, model: str) -> ModelEntry | None:
        """Return what is known of a model as a provider reports it; None when nothing is.

        A dated snapshot (`gpt-4.1-2025-04-14`) that is not listed itself is taken for its family (`gpt-4.1`).
        """
        return self.models.get(model) or self.models.get(_SNAPSHOT.sub("", model))

    def price_of(self, model: str, on: date) -> ModelPrice | None:
        """Return the price of a model on a day, UTC; None when it is unknown."""
        entry = self.entry_of(model)
        return None if entry is None else entry.price_on(on)

    def shutdown_of(self, model: str) -> date | None:
        """Return the day from which the provider no longer answers for a model; None when none is known."""
        entry = self.entry_of(model)
        return None if entry is None else entry.shutdown


class _Price(BaseModel):
    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    since: date | None = Field(None, alias="from")
    input: Dollars
    cached: Dollars | None = None
    output: Dollars
    batch_input: Dollars | None = None
    batch_cached: Dollars | None = None
    batch_output: Dollars | None = None

    def price(self, batch_share: Decimal) -> ModelPrice:
        cached = self.input if self.cached is None else self.cached

        def of_batch(stated: Decimal | None, online: Decimal) -> int:
            return _micros(online * batch_share if stated is None else stated)

        return ModelPrice(
            input_micros=_micros(self.input),
            cached_micros=_micros(cached),
            output_micros=_micros(self.output),
            batch_input_micros=of_batch(self.batch_input, self.input),
            batch_cached_micros=of_batch(self.batch_cached, cached),
            batch_output_micros=of_batch(self.batch_output, self.output),
            since=self.since,
        )


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid")

    shutdown: date | None = None
    prices: list[_Price] = Field(min_length=1)

    @field_validator("prices")
    @classmethod
    def _in_order(cls, prices: list[_Price]) -> list[_Price]:
        days = [price.since for price in prices]
        later = [day for day in days[1:] if day is not None]
        if len(later) < len(days) - 1:
            raise ValueError("only the first price may leave out `from`; give the others the day they hold from")
        dated = later if days[0] is None else [days[0], *later]
        if dated != sorted(set(dated)):
            raise ValueError(f"the days `from` must rise, got {', '.join(map(str, dated))}; put the oldest price first")
        return prices


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid")

    as_of: date
    source: str
    batch_share: Decimal = Field(Decimal(1), ge=0, le=1, decimal_places=6)
    models: dict[str, _Model]

    def price_list(self) -> PriceList:
        entries = {
            name: ModelEntry(tuple(price.price(self.batch_share) for price in model.prices), model.shutdown)
            for name, model in self.models.items()
        }
        return PriceList(self.as_of, self.source, entries)


def read_prices(path: Path | None = None) -> PriceList:
    """Read a price file; None reads the one that comes with the program.

    Raises:
        SettingsError: the file is not readable as prices; every problem is listed.
    """
    path = PRICE_FILE if path is None else path.expanduser()
    try:
        content = _File.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise SettingsError(
            f"price file {path.name} can't be read: {error}; THREADS_PRICE_FILE names it, left out it is the program's"
        ) from error
    except ValidationError as error:
        problems = [f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors(include_url=False)]
        raise SettingsError(f"price file {path.name} is not usable:\n  " + "\n  ".join(problems)) from error
    return content.price_list()


def _micros(dollars: Decimal) -> int:
    return int((dollars * MICROS_PER_DOLLAR).to_integral_value(ROUND_HALF_UP))


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
