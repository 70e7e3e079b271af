"""The classic form of a dashboard: the JSON that Grafana's file provisioning takes."""

from __future__ import annotations

import json

from grafana_foundation_sdk.builders import dashboard
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import dashboard as models

from grafana import variables
from grafana.annotations import all_annotations
from grafana.board import Board
from grafana.panels import LIVE_PAGE

TAG = "threads-agent-stack"
OTHERS = "Other dashboards"


def classic(board: Board) -> models.Dashboard:
    """Return the dashboard with its panels placed and numbered."""
    made = (
        dashboard.Dashboard(board.title)
        .uid(board.uid)
        .description(board.description)
        .tags([TAG])
        .time(board.since, "now")
        .timezone("utc")
        .refresh(board.refresh)
        .readonly()
        .tooltip(models.DashboardCursorSync.CROSSHAIR)
        .annotations(all_annotations())
        .links(_links())
    )
    for variable in (*board.variables, variables.gateway()):
        made.with_variable(variable)
    for title, panels in board.rows.items():
        made.with_row(dashboard.Row(title))
        for panel in panels():
            made.with_panel(panel)
    return _numbered(made.build())


def _links() -> list[Builder[models.DashboardLink]]:
    others = (
        dashboard.DashboardLink(OTHERS)
        .type(models.DashboardLinkType.DASHBOARDS)
        .tags([TAG])
        .as_dropdown(as_dropdown=True)
    )
    page = dashboard.DashboardLink(LIVE_PAGE).type(models.DashboardLinkType.LINK).url(f"${{{variables.GATEWAY}:raw}}/")
    return [
        others.keep_time(keep_time=True).include_vars(include_vars=True),
        page.icon("external link").target_blank(target_blank=True),
    ]


def _numbered(made: models.Dashboard) -> models.Dashboard:
    for number, panel in enumerate(made.panels or (), start=1):
        panel.id_val = number
    return made


def rendered(made: object) -> str:
    """Return JSON as it is committed: indented, keys sorted."""
    return json.dumps(made, cls=JSONEncoder, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
