"""The dashboard "Live": KPI updates as they are made, pushed to Grafana Live, after their history from PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from agents.kpis.targets import COST_PER_FOLLOW_DOLLARS, ENGAGEMENT_RATE, REVENUE_DOLLARS
from grafana import variables
from grafana.board import Board, Panel
from grafana.panels import Look, streaming
from grafana.sources import pushed, sql
from sinks.grafana_live.lines import MEASUREMENT
from sinks.grafana_live.settings import GrafanaSettings

STREAM = str(GrafanaSettings.model_fields["grafana_live_stream"].default)
CHANNEL = f"stream/{STREAM}/{MEASUREMENT}_${{{variables.WINDOW}}}"
PUSHED = (
    "Up to now from table kpi_updates; from now on each update as the role sink-grafana-live pushes it "
    "(THREADS_GRAFANA_URL). Grafana Live keeps no history, and shows all personas."
)


def _kpis() -> Iterator[Panel]:
    rate, cost = "Engagements / views in the window.", "All cost / attributed follows in the window."
    revenue = "Run rate of the last 30 days plus recurring revenue, a month; in the window 30d alone."
    yield _panel(
        Look("Engagement rate, live", rate, "percentunit", 12, "kpi/engagement_rate", None, ENGAGEMENT_RATE),
        "engagement_rate",
    )
    yield _panel(
        Look("Cost per follow, live", cost, "currencyUSD", 12, "kpi/cost_per_follow", None, COST_PER_FOLLOW_DOLLARS),
        "cost_per_follow_dollars",
    )
    yield _panel(
        Look("Revenue, live", revenue, "currencyUSD", 12, "kpi/revenue_projection_monthly", None, REVENUE_DOLLARS),
        "revenue_projection_monthly_dollars",
    )
    yield _panel(Look("Views, live", "Views in the window.", "locale", 12, "posts"), "views")


def _panel(look: Look, field: str) -> Panel:
    told = replace(look, description=f"{look.description} {PUSHED}")
    return streaming(told, sql("kpi_history", "time_series", field=field), pushed(CHANNEL, [field], "B"))


BOARD = Board(
    uid="live",
    title="Live",
    description="KPI updates as they are made, after their history.",
    variables=(variables.persona(), variables.window("window", several=False)),
    rows={"As they are made": _kpis},
    since="now-1h",
    refresh="",
)
