"""The dashboards ask for nothing that is not there, say what they show, and are what their code writes."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
import yaml
from grafana_foundation_sdk.models import dashboardv2beta1 as v2

from grafana.__main__ import BOARDS, FOLDER, files
from grafana.promql import selector
from grafana.variables import WINDOWS
from sinks.prometheus.metrics import LLM_TOKENS
from streams.metrics import Metric, catalogue

PROMETHEUS, POSTGRES, GRAFANA = "threads-prometheus", "threads-postgres", {"grafana", "-- Grafana --", "-- Mixed --"}
PROMQL_WORDS = {
    "sum", "max", "min", "by", "rate", "increase", "resets", "histogram_quantile", "time", "vector", "or", "on",
    "group_left", "label_replace",
}  # fmt: skip
UNITS = {"seconds": {"s"}, "bytes": {"bytes"}, "dollars": {"currencyUSD"}}
TARGET_LABELS = {"role", "instance"}  # what a scrape adds to the labels of a series
BUILT_IN = {"__rate_interval", "__timeFilter", "__field", "__data", "__all"}


def written(kind: str) -> dict[str, dict[str, Any]]:
    folder = FOLDER / kind
    return {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.json"))}


DASHBOARDS, RESOURCES = written("dashboards"), written("resources")
PANELS = [
    pytest.param(uid, panel, id=f"{uid}: {panel['title']}")
    for uid, board in DASHBOARDS.items()
    for panel in board["panels"]
    if panel["type"] != "row"
]
of_every_panel = pytest.mark.parametrize(("uid", "panel"), PANELS)
of_every_dashboard = pytest.mark.parametrize("uid", DASHBOARDS)


def panels(uid: str) -> list[dict[str, Any]]:
    return [panel for panel in DASHBOARDS[uid]["panels"] if panel["type"] != "row"]


def panel_titled(uid: str, title: str) -> dict[str, Any]:
    [panel] = [each for each in panels(uid) if each["title"] == title]
    return panel


def promql(uid: str) -> Iterator[str]:
    """Yield every expression of a dashboard: those of its panels, variables and annotations."""
    board = DASHBOARDS[uid]
    yield from (target["expr"] for panel in panels(uid) for target in panel["targets"] if "expr" in target)
    yield from (each["query"] for each in board["templating"]["list"] if each["type"] == "query")
    yield from (each["expr"] for each in board["annotations"]["list"] if "expr" in each)


def sql(uid: str) -> Iterator[str]:
    yield from (target["rawSql"] for panel in panels(uid) for target in panel["targets"] if "rawSql" in target)


EXPRESSIONS = sorted({expression for uid in DASHBOARDS for expression in promql(uid)})


def series_of(metric: Metric) -> Iterator[tuple[str, set[str]]]:
    """Yield the names under which a metric is queried, each with the labels it has."""
    if metric.type == "histogram":
        yield f"{metric.name}_bucket", {*metric.labels, "le"}
        yield from ((f"{metric.name}{suffix}", set(metric.labels)) for suffix in ("_sum", "_count"))
    else:
        yield metric.name, set(metric.labels)


CATALOGUE = dict(series for metric in catalogue() for series in series_of(metric))
OF_SERIES = {name: metric for metric in catalogue() for name, _ in series_of(metric)}


def names_and_labels(expression: str) -> tuple[set[str], set[str]]:
    """Return the series that an expression names, and all labels it matches, groups or joins by."""
    offered = re.fullmatch(r'label_values\(\{__name__=~"([\w|]+)"\}, (\w+)\)', expression)
    if offered:
        return set(offered[1].split("|")), {offered[2]}
    expression = re.sub(r'"[^"]*"', '""', expression)
    matched = set(re.findall(r"(\w+)\s*=~?", expression))
    groups = re.findall(r"(?:by|on|group_left) \(([^)]*)\)", expression)
    grouped = {label for group in groups for label in group.split(", ") if label}
    bare = re.sub(r"\{[^}]*\}|(?:by|on|group_left) \([^)]*\)|\[[^\]]*\]", " ", expression)
    return set(re.findall(r"[a-zA-Z_]\w*", bare)) - PROMQL_WORDS, matched | grouped


def test_the_committed_files_are_what_their_code_writes() -> None:
    for path, text in files():
        assert path.read_text(encoding="utf-8") == text, "run `python -m grafana` and commit the result"
    assert {path for path, _ in files()} == {*FOLDER.glob("dashboards/*"), *FOLDER.glob("resources/*")}


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_an_expression_names_only_series_and_labels_of_the_catalogue(expression: str) -> None:
    names, labels = names_and_labels(expression)
    assert names
    assert names <= set(CATALOGUE)
    assert labels - TARGET_LABELS <= set.union(*(CATALOGUE[name] for name in names))


def test_every_metric_of_the_catalogue_is_shown() -> None:
    shown = {OF_SERIES[name].name for expression in EXPRESSIONS for name in names_and_labels(expression)[0]}
    assert shown == {metric.name for metric in catalogue()}


def test_a_label_that_a_metric_does_not_have_can_not_be_queried() -> None:
    with pytest.raises(ValueError, match=r"llm_tokens_total has the labels .* not \['persona_id'\]"):
        selector(LLM_TOKENS, persona_id="nova")


@of_every_dashboard
def test_queries_use_the_variables_there_are_and_values_are_quoted_in_sql(uid: str) -> None:
    declared = {variable["name"] for variable in DASHBOARDS[uid]["templating"]["list"]}
    queries = [*promql(uid), *sql(uid)]
    used = {name for text in queries for name in re.findall(r"\$\{?([a-z_]\w*)", text)}
    everywhere = set(re.findall(r"\$\{?([a-z_]\w*)", json.dumps(DASHBOARDS[uid])))
    assert used <= declared | BUILT_IN
    assert declared <= everywhere <= declared | BUILT_IN
    for statement in sql(uid):
        assert re.findall(r"\$\{(?!\w+:sqlstring\})", statement) == []


@of_every_panel
def test_a_panel_says_what_it_shows_in_which_unit(uid: str, panel: dict[str, Any]) -> None:
    del uid
    assert panel["title"]
    assert panel["description"].endswith((".", ")"))
    assert panel["fieldConfig"]["defaults"]["unit"]
    for target in panel["targets"]:
        assert target.get("legendFormat") or target.get("format") in {"table", "time_series"} or target["channel"]
        assert target["datasource"] == panel["datasource"] or panel["datasource"]["uid"] == "-- Mixed --"
    assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"])


def unit_of(expression: str) -> set[str] | None:
    """Return the units in which an expression may be shown; None where it only counts."""
    [metric] = {OF_SERIES[name] for name in names_and_labels(expression)[0]}
    unit = metric.unit
    if metric.type == "counter" and unit == "seconds":
        return {"percentunit"}  # seconds a second
    return UNITS[unit] if unit else None


@of_every_panel
def test_a_panel_has_the_unit_that_the_names_of_its_series_tell(uid: str, panel: dict[str, Any]) -> None:
    del uid
    expressions = [target["expr"] for target in panel["targets"] if "expr" in target]
    told = [unit for expression in expressions if (unit := unit_of(expression)) is not None]
    shown = panel["fieldConfig"]["defaults"]["unit"]
    assert all(shown in units for units in told)
    if expressions and all(expression.startswith("60 *") for expression in expressions) and not told:
        assert shown == "cpm"


@pytest.mark.parametrize(
    ("uid", "title", "bounds"),
    [
        ("business-kpis", "Engagement rate", [(None, "red"), (0.04, "yellow"), (0.06, "green")]),
        ("business-kpis", "Cost per follow", [(None, "green"), (0.01, "yellow"), (0.02, "red")]),
        ("business-kpis", "Revenue projection", [(None, "red"), (16_000, "yellow"), (20_000, "green")]),
        ("streaming", "Queue depth: consumer lag", [(None, "green"), (100, "yellow"), (1_000, "red")]),
        ("api", "Response time", [(None, "green"), (0.5, "yellow"), (2.0, "red")]),
        ("api", "Failed", [(None, "green"), (0.01, "yellow"), (0.05, "red")]),
    ],
)
def test_targets_are_the_thresholds(uid: str, title: str, bounds: list[tuple[float | None, str]]) -> None:
    steps = panel_titled(uid, title)["fieldConfig"]["defaults"]["thresholds"]["steps"]
    assert [(step["value"], step["color"]) for step in steps] == bounds


@pytest.mark.parametrize(("ratio", "denominator"), [("Engagement rate", "Views"), ("Cost per follow", "Follows")])
def test_a_ratio_has_its_denominator_next_to_it(ratio: str, denominator: str) -> None:
    titles = [panel["title"] for panel in panels("business-kpis")]
    assert titles[titles.index(ratio) + 1] == denominator
    places = {panel["title"]: panel["gridPos"] for panel in panels("business-kpis")}
    assert places[ratio]["y"] == places[denominator]["y"]


@of_every_dashboard
def test_panels_have_ids_of_their_own_and_do_not_overlap(uid: str) -> None:
    every = DASHBOARDS[uid]["panels"]
    assert len({panel["id"] for panel in every}) == len(every)
    for one, other in combinations((panel["gridPos"] for panel in every), 2):
        beside = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
        above = one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
        assert beside or above, (one, other)
    assert all(panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24 for panel in every)


def test_every_query_reads_from_a_source_that_is_provisioned_or_built_in() -> None:
    text = (FOLDER / "provisioning" / "datasources" / "datasources.yaml").read_text(encoding="utf-8")
    provisioned = {each["uid"] for each in yaml.safe_load(text)["datasources"]}
    assert provisioned == {PROMETHEUS, POSTGRES}
    found = re.findall(r'"datasource": \{\s*"type": "[\w-]+",\s*"uid": "([^"]+)"', json.dumps(DASHBOARDS))
    assert set(found) == provisioned | GRAFANA


@of_every_panel
def test_a_panel_leads_to_a_view_of_the_live_page(uid: str, panel: dict[str, Any]) -> None:
    del uid
    [way] = panel["links"]
    assert re.fullmatch(r"\$\{gateway:raw\}/#/[\w/?=.-]*", way["url"])
    links = [way["url"], *re.findall(r'"url": "([^"]+)"', json.dumps(panel["fieldConfig"]))]
    assert all(url.startswith("${gateway:raw}/#/") for url in links)


@of_every_dashboard
def test_deploys_and_replays_are_drawn_over_every_dashboard(uid: str) -> None:
    names = [each["name"] for each in DASHBOARDS[uid]["annotations"]["list"]]
    assert names == ["Deploys and restarts", "Replays", "Groups set back"]


def test_windows_are_all_offered_and_24h_first() -> None:
    for uid, chosen in (("business-kpis", ["24h"]), ("live", "24h")):
        [window] = [each for each in DASHBOARDS[uid]["templating"]["list"] if each["name"] == "window"]
        assert [option["value"] for option in window["options"]] == list(WINDOWS)
        assert window["current"]["value"] == chosen


def test_a_streaming_panel_goes_on_where_its_history_ends() -> None:
    for panel in panels("live"):
        history, pushed = panel["targets"]
        [field] = set(pushed["filter"]["fields"]) - {"time"}
        assert f'AS "{field}"' in history["rawSql"]
        assert pushed["channel"] == "stream/threads/kpi_${window}"


def queries_of(element: dict[str, Any]) -> list[dict[str, Any]]:
    return [each["spec"]["query"]["spec"] for each in element["spec"]["data"]["spec"]["queries"]]


@of_every_dashboard
def test_a_resource_has_the_panels_queries_and_variables_of_the_classic_form(uid: str) -> None:
    manifest, board = RESOURCES[uid], DASHBOARDS[uid]
    assert (manifest["apiVersion"], manifest["kind"]) == ("dashboard.grafana.app/v2beta1", "Dashboard")
    assert manifest["metadata"] == {"name": uid}
    spec = manifest["spec"]
    v2.Dashboard.from_json(spec)  # what the SDK can read
    titles = {element["spec"]["title"]: element for element in spec["elements"].values()}
    assert list(titles) != []
    assert set(titles) == {panel["title"] for panel in panels(uid)}
    for panel in panels(uid):
        element = titles[panel["title"]]
        kept = [{k: v for k, v in each.items() if k not in {"datasource", "refId"}} for each in panel["targets"]]
        assert queries_of(element) == kept
        assert element["spec"]["vizConfig"]["group"] == panel["type"]
        assert element["spec"]["vizConfig"]["spec"]["options"] == panel["options"]
        unit = element["spec"]["vizConfig"]["spec"]["fieldConfig"]["defaults"]["unit"]
        assert unit == panel["fieldConfig"]["defaults"]["unit"]
    assert [each["spec"]["name"] for each in spec["variables"]] == [
        each["name"] for each in board["templating"]["list"]
    ]


@of_every_dashboard
def test_a_resource_places_every_panel_in_the_row_that_it_has(uid: str) -> None:
    spec = RESOURCES[uid]["spec"]
    rows = spec["layout"]["spec"]["rows"]
    every = DASHBOARDS[uid]["panels"]
    assert [row["spec"]["title"] for row in rows] == [panel["title"] for panel in every if panel["type"] == "row"]
    items = [item["spec"] for row in rows for item in row["spec"]["layout"]["spec"]["items"]]
    assert [item["element"]["name"] for item in items] == list(dict.fromkeys(f"panel-{p['id']}" for p in panels(uid)))
    assert set(spec["elements"]) == {item["element"]["name"] for item in items}
    for row in rows:
        assert min(item["spec"]["y"] for item in row["spec"]["layout"]["spec"]["items"]) == 0


def test_every_dashboard_has_an_address_and_a_title_of_its_own() -> None:
    assert len({board.uid for board in BOARDS}) == len({board.title for board in BOARDS}) == len(BOARDS) == 8
    assert set(DASHBOARDS) == set(RESOURCES) == {board.uid for board in BOARDS}


def test_nothing_outside_the_dashboards_is_provisioned_as_one() -> None:
    provider = yaml.safe_load((FOLDER / "provisioning/dashboards/dashboards.yaml").read_text(encoding="utf-8"))
    compose = (Path(FOLDER).parent / "deploy" / "compose.yaml").read_text(encoding="utf-8")
    [folder] = [each["options"]["path"] for each in provider["providers"]]
    assert f"../grafana/dashboards:{folder}:ro" in compose  # Grafana refuses resources there, and reads subfolders
    assert all(path.suffix == ".json" for path in (FOLDER / "dashboards").iterdir())
