"""The four business KPIs: as numbers with their denominators, and over time against their targets."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from grafana.panels import Look, lines, number
from grafana.promql import selector, total
from grafana.sources import promql
from grafana.targets import COST_PER_FOLLOW_DOLLARS, ENGAGEMENT_RATE, REVENUE_DOLLARS, Target
from sinks.prometheus.metrics import (
    COST_PER_FOLLOW,
    ENGAGEMENTS,
    POSTS_ENGAGEMENT_RATE,
    REVENUE_PROJECTION,
    VIRAL_POSTS,
)
from streams.metrics import Metric

BY_PERSONA = "{{persona_id}}"
LIFETIME_COUNT = "Lifetime sum of the counts of engagement events; the same count by window is in the KPI table below."


def described(metric: Metric, target: Target | None = None, *remarks: str) -> str:
    """Return a metric's formula with its target and remarks."""
    goal = [f"Target: {target.wording}."] if target else []
    return " ".join([metric.help, *goal, *remarks])


def number_panels() -> Iterator[Any]:
    """Yield each ratio with its denominator, then the sums that have none."""
    yield number(
        Look(
            "Engagement rate",
            described(POSTS_ENGAGEMENT_RATE, ENGAGEMENT_RATE, "Denominator: views."),
            "percentunit",
            8,
            decimals=2,
            target=ENGAGEMENT_RATE,
        ),
        promql(selector(POSTS_ENGAGEMENT_RATE), BY_PERSONA),
    )
    yield number(
        Look("Views", f"The engagement rate's denominator. {LIFETIME_COUNT}", "locale", 4),
        promql(total(ENGAGEMENTS, ("persona_id",), kind="views"), BY_PERSONA),
    )
    yield number(
        Look(
            "Cost per follow",
            described(COST_PER_FOLLOW, COST_PER_FOLLOW_DOLLARS, "Denominator: attributed follows."),
            "currencyUSD",
            8,
            decimals=4,
            target=COST_PER_FOLLOW_DOLLARS,
        ),
        promql(selector(COST_PER_FOLLOW), BY_PERSONA),
    )
    yield number(
        Look("Follows", f"The denominator of cost per follow. {LIFETIME_COUNT}", "locale", 4),
        promql(total(ENGAGEMENTS, ("persona_id",), kind="follows"), BY_PERSONA),
    )
    yield number(
        Look(
            "Revenue projection",
            described(REVENUE_PROJECTION, REVENUE_DOLLARS, "The choice of personas does not change it."),
            "currencyUSD",
            12,
            decimals=0,
            target=REVENUE_DOLLARS,
        ),
        promql(total(REVENUE_PROJECTION), "a month, all personas"),
    )
    yield number(
        Look("Viral posts", described(VIRAL_POSTS, None, "Lifetime."), "locale", 12),
        promql(total(VIRAL_POSTS, ("persona_id",)), BY_PERSONA),
    )


def history_panels() -> Iterator[Any]:
    """Yield the ratios and the engagement over time."""
    yield lines(
        Look(
            "Engagement rate over time",
            described(POSTS_ENGAGEMENT_RATE, ENGAGEMENT_RATE),
            "percentunit",
            8,
            target=ENGAGEMENT_RATE,
        ),
        [promql(selector(POSTS_ENGAGEMENT_RATE), BY_PERSONA)],
    )
    yield lines(
        Look(
            "Cost per follow over time",
            described(COST_PER_FOLLOW, COST_PER_FOLLOW_DOLLARS),
            "currencyUSD",
            8,
            target=COST_PER_FOLLOW_DOLLARS,
        ),
        [promql(selector(COST_PER_FOLLOW), BY_PERSONA)],
    )
    yield lines(
        Look(
            "Revenue projection over time",
            described(REVENUE_PROJECTION, REVENUE_DOLLARS),
            "currencyUSD",
            8,
            target=REVENUE_DOLLARS,
        ),
        [promql(total(REVENUE_PROJECTION), "a month, all personas")],
    )
