"""The dashboard "Business KPIs": which rows it has, and the variables that choose personas and windows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from grafana_foundation_sdk.builders import dashboard
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import VariableOption, VariableRefresh, VariableSort

from grafana.activity_panels import activity_panels
from grafana.generation_panels import generation_panels
from grafana.kpi_panels import history_panels, number_panels
from grafana.promql import PERSONA_LABEL, PERSONA_VARIABLE
from grafana.sources import PROMETHEUS
from grafana.spend_panels import spend_panels
from grafana.table_panels import table_panels
from sinks.prometheus.metrics import ENGAGEMENTS, POSTS_GENERATED

UID, TITLE = "business-kpis", "Business KPIs"
DASHBOARD_FILE = Path(__file__).parent / "dashboards" / f"{UID}.json"
WINDOWS = ("1h", "24h", "7d", "30d", "lifetime")
FIRST_WINDOW = "24h"
TOLD_OF_BY = (ENGAGEMENTS.name, POSTS_GENERATED.name)  # a persona is offered once it has engagement or a draft


def business_kpis() -> Any:  # noqa: ANN401 - the SDK is untyped here, see pyproject.toml
    """Return the dashboard."""
    board = (
        dashboard.Dashboard(TITLE)
        .uid(UID)
        .description("Engagement, cost, revenue and virality of the personas against their targets.")
        .tags(["threads-agent-stack"])
        .time("now-24h", "now")
        .timezone("utc")
        .refresh("30s")
        .readonly()
        .with_variable(_persona_variable())
        .with_variable(_window_variable())
    )
    sections = {
        "KPIs in the window THREADS_METRICS_WINDOW (default 24h)": number_panels(),
        "KPIs over time": history_panels(),
        "What the agents do": activity_panels(),
        "What model calls cost": spend_panels(),
        "Generation": generation_panels(),
        "From PostgreSQL": table_panels(),
    }
    for title, panels in sections.items():
        board.with_row(dashboard.Row(title))
        for panel in panels:
            board.with_panel(panel)
    return _numbered(board.build())


def _persona_variable() -> Any:  # noqa: ANN401
    return (
        dashboard.QueryVariable(PERSONA_VARIABLE)
        .label("persona")
        .datasource(PROMETHEUS)
        .query(f'label_values({{__name__=~"{"|".join(TOLD_OF_BY)}"}}, {PERSONA_LABEL})')
        .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(VariableSort.ALPHABETICAL_ASC)
        .multi(multi=True)
        .include_all(include_all=True)
        .current(VariableOption(text=["All"], value=["$__all"]))
    )


def _window_variable() -> Any:  # noqa: ANN401
    return (
        dashboard.CustomVariable("window")
        .label("window of the KPI table")
        .values(", ".join(WINDOWS))
        .multi(multi=True)
        .options([VariableOption(each == FIRST_WINDOW, each, each) for each in WINDOWS])
        .current(VariableOption(selected=True, text=[FIRST_WINDOW], value=[FIRST_WINDOW]))
    )


def _numbered(board: Any) -> Any:  # noqa: ANN401
    for number, panel in enumerate(board.panels, start=1):
        panel.id_val = number
    return board


def rendered() -> str:
    """Return the dashboard's JSON as it is committed: indented, keys sorted."""
    return json.dumps(business_kpis(), cls=JSONEncoder, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
