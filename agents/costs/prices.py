"""Prices of models, each from a day on, and the days on which models are shut down."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date

_SNAPSHOT = re.compile(r"-\d{4}-\d{2}-\d{2}$")


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
