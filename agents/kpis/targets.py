"""Targets of the business KPIs, and from where on they are alarming, as the page and the dashboards show them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Target:
    """A goal, money in dollars: met on its good side, alarming on the far side of `alarm`."""

    goal: float
    alarm: float
    wording: str

    @property
    def higher_is_better(self) -> bool:
        """Tell on which side of the goal the good values are."""
        return self.goal > self.alarm


ENGAGEMENT_RATE = Target(goal=0.06, alarm=0.04, wording="at least 6 %; alarming under 4 %")
COST_PER_FOLLOW_DOLLARS = Target(goal=0.01, alarm=0.02, wording="under $0.01; alarming from $0.02")
REVENUE_DOLLARS = Target(goal=20_000, alarm=16_000, wording="$20,000 a month; alarming under 80 % of it")
