"""What model calls cost, and what may be spent: prices, budgets and the levels of alarm."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

from pydantic import Field, ValidationInfo, field_validator

from streams.settings import PREFIX, SettingsGroup


class CostSettings(SettingsGroup):
    """What model calls cost, and what may be spent: prices, budgets and the levels of alarm."""

    price_file: Path | None = Field(
        None, description="Prices of models (YAML); empty: those that come with the program."
    )
    daily_budget_dollars: Decimal | None = Field(
        None,
        ge=0,
        le=1_000_000,
        decimal_places=6,
        description="Model calls of all personas in a UTC day; empty: no limit.",
    )
    hourly_budget_dollars: Decimal | None = Field(
        None,
        ge=0,
        le=1_000_000,
        decimal_places=6,
        description="Model calls of all personas in an hour; empty: no limit.",
    )
    budget_warn: Decimal = Field(
        Decimal("0.80"), gt=0, le=1, decimal_places=6, description="Share of a budget from which its spending is told."
    )
    budget_downgrade: Decimal = Field(
        Decimal("0.85"), gt=0, le=1, decimal_places=6, description="Share from which cheaper models are taken."
    )
    budget_pause: Decimal = Field(
        Decimal("0.95"),
        gt=0,
        le=1,
        decimal_places=6,
        description="Share from which generation pauses till the period ends.",
    )
    spike_factor: int = Field(
        3, ge=2, le=1_000, description="Multiple of the trailing hourly mean that is told as a spike."
    )
    spike_least_dollars: Decimal = Field(
        Decimal("1.00"), ge=0, le=1_000_000, decimal_places=6, description="Least spend of an hour that can be a spike."
    )

    @field_validator("budget_downgrade", "budget_pause")
    @classmethod
    def _levels_rise(cls, value: Decimal, info: ValidationInfo) -> Decimal:
        below = "budget_warn" if info.field_name == "budget_downgrade" else "budget_downgrade"
        least = info.data.get(below)
        if least is not None and value <= least:
            raise ValueError(f"must be above {PREFIX}{below.upper()}, which is {least}")
        return value
