"""What model calls cost, what measures have spared of it, and what was told of budgets."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from grafana.kpi_panels import described
from grafana.panels import Look, lines, rows
from grafana.promql import per_minute, total
from grafana.sources import SqlQuery, promql
from sinks.prometheus.metrics import LLM_COST, LLM_UNPRICED_CALLS


def spend_panels() -> Iterator[Any]:
    """Yield the charts of spending and the tables of savings and alerts."""
    yield lines(
        Look("Spending by persona", described(LLM_COST, None, "Here dollars a minute."), "currencyUSD", 12),
        [promql(per_minute(LLM_COST, ("persona_id",)), "{{persona_id}}")],
    )
    yield lines(
        Look("Calls of unknown price", described(LLM_UNPRICED_CALLS, None, "Lifetime counts."), "locale", 12),
        [promql(total(LLM_UNPRICED_CALLS, ("model",)), "{{model}}")],
    )
    yield rows(
        Look(
            "Savings by measure",
            "What each measure has spared in the time range, from table savings. share of it = saved / the bill "
            "without all these measures; saving unknown: calls whose saving is unknown because a price is.",
            "none",
            12,
        ),
        SqlQuery("savings"),
        {"saved": "currencyUSD", "bill without": "currencyUSD", "share of it": "percentunit"},
    )
    yield rows(
        Look(
            "Budget alerts",
            "The 50 latest of the time range from table budget_alerts: levels of a budget that spending has reached, "
            "resumes, and spikes, whose limit is the mean of the hours before.",
            "none",
            12,
        ),
        SqlQuery("budget_alerts"),
        {
            "told": "dateTimeAsIso",
            "period from": "dateTimeAsIso",
            "spent": "currencyUSD",
            "limit": "currencyUSD",
            "share of it": "percentunit",
        },
    )
