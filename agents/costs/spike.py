"""Spikes: an hour that costs a multiple of the hours before it. Pure, in integers."""

from __future__ import annotations

from collections.abc import Sequence

from agents.costs.budget import BudgetPolicy

TRAILING_HOURS = 24
LEAST_HOURS_WITH_SPEND = 3


def trailing_mean_micros(hours_before: Sequence[int]) -> int | None:
    """Return the mean of the hours that cost something, rounded down, micro-dollars; None where these are too few.

    `hours_before` are the sums of the TRAILING_HOURS hours before, micro-dollars.
    """
    with_spend = [micros for micros in hours_before if micros > 0]
    return sum(with_spend) // len(with_spend) if len(with_spend) >= LEAST_HOURS_WITH_SPEND else None


def is_spike(spent_micros: int, hours_before: Sequence[int], policy: BudgetPolicy) -> bool:
    """Tell whether an hour's spend is at least the factor times the mean of the hours before, and no mere cents.

    The mean is of the hours that cost something: a persona that posts twice a day has its own measure.
    """
    with_spend = [micros for micros in hours_before if micros > 0]
    if len(with_spend) < LEAST_HOURS_WITH_SPEND or spent_micros < policy.spike_least_micros:
        return False
    return spent_micros * len(with_spend) >= policy.spike_factor * sum(with_spend)
