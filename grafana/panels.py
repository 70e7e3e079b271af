"""Panels in one style: numbers, charts and tables, each with unit, legend, description and a way to the live page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from grafana_foundation_sdk.builders import common, dashboard, heatmap, prometheus, stat, table, timeseries
from grafana_foundation_sdk.models import common as style
from grafana_foundation_sdk.models.dashboard import (
    DashboardLinkType,
    DynamicConfigValue,
    Threshold,
    ThresholdsMode,
)
from grafana_foundation_sdk.models.heatmap import HeatmapColorMode
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

from agents.kpis.targets import Target
from grafana.sources import MIXED, POSTGRES, PROMETHEUS, PlainQuery
from grafana.variables import GATEWAY
from streams.metrics import Metric

GOOD, FAIR, POOR, NEUTRAL = "green", "yellow", "red", "blue"
NUMBER_HEIGHT, CHART_HEIGHT, TABLE_HEIGHT = 5, 8, 10
QUIET = "no data yet"
LEAST_RATE_INTERVAL = "5m"  # drafts come seldom: over shorter spans a rate would mostly be nothing
LIVE_PAGE = "On the live page"
OF_PERSONA = "?persona=${__field.labels.persona_id}"

P = TypeVar("P", stat.Panel, timeseries.Panel, table.Panel, heatmap.Panel)


@dataclass(frozen=True, slots=True)
class Look:
    """How a panel presents itself: `unit` is one of Grafana's, `span` is of 24 columns.

    `page` is the view of the live page that shows where the panel's numbers come from; `of_persona` says that each of
    its series is a persona's, so that a click leads to the persona's view.
    """

    title: str
    description: str
    unit: str
    span: int
    page: str
    decimals: int | None = None
    target: Target | None = None
    of_persona: bool = False


def described(metric: Metric, *remarks: str, target: Target | None = None) -> str:
    """Return a metric's formula with its target and remarks."""
    goal = [f"Target: {target.wording}."] if target else []
    return " ".join([metric.help, *goal, *remarks])


def thresholds(target: Target | None) -> dashboard.ThresholdsConfig:
    """Return the builder of a target's colours; one neutral colour without a target."""
    if target is None:
        steps = [Threshold(color=NEUTRAL)]
    elif target.higher_is_better:
        steps = [Threshold(color=POOR), Threshold(target.alarm, FAIR), Threshold(target.goal, GOOD)]
    else:
        steps = [Threshold(color=GOOD), Threshold(target.goal, FAIR), Threshold(target.alarm, POOR)]
    return dashboard.ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(steps)


def _dressed(panel: P, look: Look, height: int) -> P:
    panel.title(look.title).description(look.description).unit(look.unit).span(look.span).height(height)
    panel.thresholds(thresholds(look.target)).no_value(QUIET).links([link(look.page)])
    if look.of_persona:
        panel.data_links([link(look.page + OF_PERSONA)])
    if look.decimals is not None:
        panel.decimals(look.decimals)
    return panel


def link(page: str) -> dashboard.DashboardLink:
    """Return the link to a view of the live page; that of a table's value names its columns as `__data.fields`."""
    url = f"${{{GATEWAY}:raw}}/#/{page}"
    return dashboard.DashboardLink(LIVE_PAGE).type(DashboardLinkType.LINK).url(url).target_blank(target_blank=True)


def number(look: Look, query: prometheus.Dataquery) -> stat.Panel:
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


def lines(look: Look, queries: Sequence[prometheus.Dataquery]) -> timeseries.Panel:
    """Return a line chart of Prometheus series; a target is drawn as lines at its thresholds."""
    panel = _chart(look).datasource(PROMETHEUS).interval(LEAST_RATE_INTERVAL).draw_style(style.GraphDrawStyle.LINE)
    for query in queries:
        panel.with_target(query)
    return panel


def streaming(look: Look, history: PlainQuery, pushed: PlainQuery) -> timeseries.Panel:
    """Return a line chart that goes on from its history with what is pushed to Grafana Live."""
    panel = _chart(look).datasource(MIXED).draw_style(style.GraphDrawStyle.LINE)
    return panel.with_target(history).with_target(pushed)


def stacked_bars(look: Look, query: PlainQuery) -> timeseries.Panel:
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


def buckets(look: Look, query: prometheus.Dataquery) -> heatmap.Panel:
    """Return a heat map of a histogram's buckets over time."""
    panel = _dressed(heatmap.Panel(), look, CHART_HEIGHT).datasource(PROMETHEUS).interval(LEAST_RATE_INTERVAL)
    return (
        panel.with_target(query.format(PromQueryFormat.HEATMAP))
        .calculate(calculate=False)
        .y_axis(heatmap.YAxisConfig().unit(look.unit))
        .color(heatmap.HeatmapColorOptions().mode(HeatmapColorMode.SCHEME).scheme("Blues").steps(64))
        .cell_gap(1)
    )


def _chart(look: Look) -> timeseries.Panel:
    legend = (
        common.VizLegendOptions()
        .show_legend(show_legend=True)
        .display_mode(style.LegendDisplayMode.TABLE)
        .placement(style.LegendPlacement.BOTTOM)
        .calcs(["lastNotNull", "max"])
    )
    tooltip = common.VizTooltipOptions().mode(style.TooltipDisplayMode.MULTI).sort(style.SortOrder.DESCENDING)
    mode = style.GraphThresholdsStyleMode.DASHED if look.target else style.GraphThresholdsStyleMode.OFF
    return (
        _dressed(timeseries.Panel(), look, CHART_HEIGHT)
        .legend(legend)
        .tooltip(tooltip)
        .thresholds_style(common.GraphThresholdsStyleConfig().mode(mode))
        .axis_soft_min(0)
    )


def rows(
    look: Look, query: PlainQuery, units: Mapping[str, str], pages: Mapping[str, str] | None = None
) -> table.Panel:
    """Return a table of a statement's rows; `units` and `pages` are those of single columns by name."""
    panel = _dressed(table.Panel(), look, TABLE_HEIGHT).datasource(POSTGRES).with_target(query)
    for column, unit in units.items():
        panel.override_by_name(column, [DynamicConfigValue("unit", unit)])
    for column, page in (pages or {}).items():
        panel.override_by_name(column, [DynamicConfigValue("links", [link(page).build()])])
    return panel
