"""Panels in one style: numbers, charts and tables, each with a unit, a legend and a description."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from grafana_foundation_sdk.builders import common, dashboard, stat, table, timeseries
from grafana_foundation_sdk.models import common as style
from grafana_foundation_sdk.models.dashboard import DynamicConfigValue, Threshold, ThresholdsMode

from grafana.sources import POSTGRES, PROMETHEUS, SqlQuery
from grafana.targets import Target

GOOD, FAIR, POOR, NEUTRAL = "green", "yellow", "red", "blue"
NUMBER_HEIGHT, CHART_HEIGHT, TABLE_HEIGHT = 5, 8, 10
QUIET = "no data yet"
LEAST_RATE_INTERVAL = "5m"  # drafts come seldom: over shorter spans a rate would mostly be nothing


@dataclass(frozen=True, slots=True)
class Look:
    """How a panel presents itself: `unit` is one of Grafana's, `span` is of 24 columns."""

    title: str
    description: str
    unit: str
    span: int
    decimals: int | None = None
    target: Target | None = None


def thresholds(target: Target | None) -> Any:  # noqa: ANN401 - the SDK is untyped here, see pyproject.toml
    """Return the builder of a target's colours; one neutral colour without a target."""
    if target is None:
        steps = [Threshold(color=NEUTRAL)]
    elif target.higher_is_better:
        steps = [Threshold(color=POOR), Threshold(target.alarm, FAIR), Threshold(target.goal, GOOD)]
    else:
        steps = [Threshold(color=GOOD), Threshold(target.goal, FAIR), Threshold(target.alarm, POOR)]
    return dashboard.ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(steps)


def _dressed(panel: Any, look: Look, height: int) -> Any:  # noqa: ANN401
    panel.title(look.title).description(look.description).unit(look.unit).span(look.span).height(height)
    panel.thresholds(thresholds(look.target)).no_value(QUIET)
    return panel if look.decimals is None else panel.decimals(look.decimals)


def number(look: Look, query: Any) -> Any:  # noqa: ANN401
    """Return a panel with the last value of each series, coloured by the target, over a line of its history."""
    return (
        _dressed(stat.Panel(), look, NUMBER_HEIGHT)
        .datasource(PROMETHEUS)
        .with_target(query)
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]).values(values=False))
        .text_mode(style.BigValueTextMode.VALUE_AND_NAME)
        .color_mode(style.BigValueColorMode.VALUE)
        .graph_mode(style.BigValueGraphMode.AREA)
    )


def lines(look: Look, queries: Sequence[Any]) -> Any:  # noqa: ANN401
    """Return a line chart of Prometheus series; a target is drawn as lines at its thresholds."""
    panel = _chart(look).datasource(PROMETHEUS).interval(LEAST_RATE_INTERVAL).draw_style(style.GraphDrawStyle.LINE)
    for query in queries:
        panel.with_target(query)
    return panel


def stacked_bars(look: Look, query: SqlQuery) -> Any:  # noqa: ANN401
    """Return a chart of stacked bars from a statement whose columns are time, metric and a count."""
    stacking = common.StackingConfig().mode(style.StackingMode.NORMAL).group("A")
    return (
        _chart(look)
        .datasource(POSTGRES)
        .with_target(query)
        .draw_style(style.GraphDrawStyle.BARS)
        .stacking(stacking)
        .fill_opacity(80)
        .display_name("${__field.labels.metric}")
    )


def _chart(look: Look) -> Any:  # noqa: ANN401
    legend = (
        common.VizLegendOptions()
        .show_legend(show_legend=True)
        .display_mode(style.LegendDisplayMode.TABLE)
        .placement(style.LegendPlacement.BOTTOM)
        .calcs(["lastNotNull", "max"])
    )
    tooltip = common.VizTooltipOptions().mode(style.TooltipDisplayMode.MULTI).sort(style.SortOrder.DESCENDING)
    mode = style.GraphTresholdsStyleMode.DASHED if look.target else style.GraphTresholdsStyleMode.OFF
    return (
        _dressed(timeseries.Panel(), look, CHART_HEIGHT)
        .legend(legend)
        .tooltip(tooltip)
        .thresholds_style(common.GraphThresholdsStyleConfig().mode(mode))
        .axis_soft_min(0)
    )


def rows(look: Look, query: SqlQuery, units: Mapping[str, str]) -> Any:  # noqa: ANN401
    """Return a table of a statement's rows; `units` are those of single columns by name."""
    panel = _dressed(table.Panel(), look, TABLE_HEIGHT).datasource(POSTGRES).with_target(query)
    for column, unit in units.items():
        panel.override_by_name(column, [DynamicConfigValue("unit", unit)])
    return panel
