"""Prices of models, read from a dated file."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from streams.errors import SettingsError

PRICE_FILE = Path(__file__).with_name("prices.yaml")
MICROS_PER_DOLLAR = 1_000_000
_SNAPSHOT = re.compile(r"-\d{4}-\d{2}-\d{2}$")


@dataclass(frozen=True, slots=True)
class ModelPrice:
    """Price of a model in micro-dollars per 1,000,000 tokens."""

    input_micros: int
    cached_micros: int
    output_micros: int


@dataclass(frozen=True, slots=True)
class PriceList:
    """The prices known on a day."""

    as_of: date
    source: str
    models: dict[str, ModelPrice]

    def price_of(self, model: str) -> ModelPrice | None:
        """Return the price of a model as a provider reports it; None when it is unknown.

        A dated snapshot (`gpt-4.1-2025-04-14`) that is not listed itself costs what its family (`gpt-4.1`) costs.
        """
        return self.models.get(model) or self.models.get(_SNAPSHOT.sub("", model))


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid")

    input: Decimal = Field(ge=0, decimal_places=6)
    cached: Decimal | None = Field(None, ge=0, decimal_places=6)
    output: Decimal = Field(ge=0, decimal_places=6)

    def price(self) -> ModelPrice:
        cached = self.input if self.cached is None else self.cached
        return ModelPrice(*(int(dollars * MICROS_PER_DOLLAR) for dollars in (self.input, cached, self.output)))


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid")

    as_of: date
    source: str
    models: dict[str, _Entry]


def read_prices(path: Path = PRICE_FILE) -> PriceList:
    """Read a price file.

    Raises:
        SettingsError: the file is not readable as prices; every problem is listed.
    """
    try:
        content = _File.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise SettingsError(f"price file {path.name} can't be read: {error}") from error
    except ValidationError as error:
        problems = [f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors(include_url=False)]
        raise SettingsError(f"price file {path.name} is not usable:\n  " + "\n  ".join(problems)) from error
    return PriceList(content.as_of, content.source, {name: entry.price() for name, entry in content.models.items()})
