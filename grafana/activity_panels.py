"""What the agents do: engagement as it is counted, drafts, tokens and the time that writing takes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from grafana.kpi_panels import described
from grafana.panels import Look, lines
from grafana.promql import per_minute, quantile, selector
from grafana.sources import promql
from sinks.prometheus.metrics import DRAFT_QUALITY, ENGAGEMENTS, GENERATION_LATENCY, LLM_TOKENS, POSTS_GENERATED

PER_MINUTE = "cpm"
PERCENTILES = (50, 95, 99)
QUALITY_PERCENTILES = (10, 50, 90)


def activity_panels() -> Iterator[Any]:
    """Yield the charts of rates and latencies."""
    yield lines(
        Look(
            "Engagement counted, by kind",
            described(ENGAGEMENTS, None, "Here a minute, at the time of counting: an import of old events peaks now."),
            PER_MINUTE,
            12,
        ),
        [promql(per_minute(ENGAGEMENTS, ("kind",)), "{{kind}}")],
    )
    yield lines(
        Look("Drafts by status", described(POSTS_GENERATED, None, "Lifetime counts."), "locale", 12),
        [promql(f"sum by (status) ({selector(POSTS_GENERATED)})", "{{status}}")],
    )
    yield lines(
        Look(
            "Tokens by model and kind",
            described(LLM_TOKENS, None, "Here a minute; kinds overlap, so they are not to be added up. All personas."),
            PER_MINUTE,
            12,
        ),
        [promql(per_minute(LLM_TOKENS, ("model", "kind")), "{{model}} {{kind}}")],
    )
    yield lines(
        Look(
            "Generation latency by phase",
            described(GENERATION_LATENCY, None, "Percentiles, interpolated within the histogram's buckets."),
            "s",
            12,
        ),
        [
            promql(quantile(each / 100, GENERATION_LATENCY, ("phase",)), f"{{{{phase}}}} p{each}", f"P{each}")
            for each in PERCENTILES
        ],
    )
    yield lines(
        Look(
            "Draft quality",
            described(DRAFT_QUALITY, None, "Percentiles, interpolated within the histogram's buckets."),
            "percentunit",
            24,
        ),
        [promql(quantile(each / 100, DRAFT_QUALITY, ()), f"p{each}", f"P{each}") for each in QUALITY_PERCENTILES],
    )
