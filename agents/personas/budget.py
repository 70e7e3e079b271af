"""The budget of a persona: what its model calls may cost in an hour and in a UTC day."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer, ValidationInfo, field_validator

MICROS_PER_DOLLAR = 1_000_000
MAX_DOLLARS = 1_000_000  # keeps sums of micro-dollars far inside 64 bits


def _canonical(dollars: Decimal) -> str:
    """Return the shortest plain notation: 0.50 and 0.5 are one budget, and one version of the persona."""
    return format((dollars + 0).normalize(), "f")  # adding 0 makes -0 plain


Dollars = Annotated[
    Decimal,
    Field(ge=0, le=MAX_DOLLARS, decimal_places=6, allow_inf_nan=False),
    PlainSerializer(_canonical, return_type=str, when_used="json-unless-none"),
]


class PersonaBudget(BaseModel):
    """Limits in dollars, to the micro-dollar; None is no limit, 0 allows only what is free."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    daily_dollars: Dollars | None = None
    hourly_dollars: Dollars | None = None

    @field_validator("daily_dollars", "hourly_dollars", mode="before")
    @classmethod
    def _no_truth_value(cls, value: object) -> object:
        if isinstance(value, bool):
            raise ValueError("write a number of dollars, such as 0.50, or leave the field out for no limit")  # noqa: TRY004
        return value

    @field_validator("hourly_dollars")
    @classmethod
    def _within_the_day(cls, value: Decimal | None, info: ValidationInfo) -> Decimal | None:
        daily = info.data.get("daily_dollars")
        if value is not None and daily is not None and value > daily:
            raise ValueError(f"is above daily_dollars ({daily}) and would never be reached; lower it or leave it out")
        return value

    @property
    def daily_micros(self) -> int | None:
        """Return the limit of a UTC day in micro-dollars."""
        return _micros(self.daily_dollars)

    @property
    def hourly_micros(self) -> int | None:
        """Return the limit of a clock hour in micro-dollars."""
        return _micros(self.hourly_dollars)


def _micros(dollars: Decimal | None) -> int | None:
    return None if dollars is None else int(dollars * MICROS_PER_DOLLAR)
