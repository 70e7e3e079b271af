"""The dashboard asks for nothing that is not there, says what it shows, and is what its code writes."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
import yaml

from grafana.business_kpis import DASHBOARD_FILE, WINDOWS, rendered
from grafana.promql import selector
from sinks.prometheus.metrics import LLM_TOKENS
from streams.metrics import Metric, catalogue

GRAFANA = Path(__file__).resolve().parents[3] / "grafana"
BOARD: dict[str, Any] = json.loads(DASHBOARD_FILE.read_text(encoding="utf-8"))
PANELS = [panel for panel in BOARD["panels"] if panel["type"] != "row"]
PROMQL_WORDS = {"sum", "max", "by", "rate", "histogram_quantile"}


def targets(source: str) -> list[dict[str, Any]]:
    return [each for panel in PANELS for each in panel["targets"] if each["datasource"]["uid"] == source]


PROMQL = [each["expr"] for each in targets("threads-prometheus")]
SQL = [each["rawSql"] for each in targets("threads-postgres")]


def series_of(metric: Metric) -> Iterator[tuple[str, set[str]]]:
    """Yield the names under which a metric is queried, each with the labels it has."""
    if metric.type == "histogram":
        yield f"{metric.name}_bucket", {*metric.labels, "le"}
        yield from ((f"{metric.name}{suffix}", set(metric.labels)) for suffix in ("_sum", "_count"))
    else:
        yield metric.name, set(metric.labels)


CATALOGUE = dict(series for metric in catalogue() for series in series_of(metric))


def names_and_labels(expression: str) -> tuple[set[str], set[str]]:
    """Return the series that an expression names, and all labels it matches or groups by."""
    matched = set(re.findall(r"(\w+)\s*=~?", expression))
    grouped = {label for group in re.findall(r"by \(([^)]*)\)", expression) for label in group.split(", ")}
    bare = re.sub(r"\{[^}]*\}|by \([^)]*\)|\[[^\]]*\]", " ", expression)
    return set(re.findall(r"[a-zA-Z_]\w*", bare)) - PROMQL_WORDS, matched | grouped


def test_the_committed_dashboard_is_what_its_code_writes() -> None:
    assert DASHBOARD_FILE.read_text(encoding="utf-8") == rendered(), "run `python -m grafana` and commit the result"


@pytest.mark.parametrize("expression", PROMQL)
def test_a_query_names_only_series_and_labels_of_the_catalogue(expression: str) -> None:
    names, labels = names_and_labels(expression)
    assert len(names) == 1
    assert names <= set(CATALOGUE)
    assert labels <= CATALOGUE[names.pop()]


def test_every_metric_of_the_catalogue_that_tells_of_the_business_is_shown() -> None:
    shown = {name.removesuffix("_bucket") for expression in PROMQL for name in names_and_labels(expression)[0]}
    assert shown == {metric.name for metric in catalogue()}


def test_a_label_that_a_metric_does_not_have_can_not_be_queried() -> None:
    with pytest.raises(ValueError, match=r"llm_tokens_total has the labels .* not \['persona_id'\]"):
        selector(LLM_TOKENS, persona_id="nova")


def test_queries_use_the_variables_there_are_and_values_are_quoted_in_sql() -> None:
    declared = {variable["name"] for variable in BOARD["templating"]["list"]}
    builtin = {"__rate_interval", "__timeFilter"}
    assert {name for text in PROMQL + SQL for name in re.findall(r"\$\{?(\w+)", text)} <= declared | builtin
    assert declared == {"persona", "window"}
    for statement in SQL:
        assert re.findall(r"\$\{(?!\w+:sqlstring\})", statement) == []


@pytest.mark.parametrize("panel", PANELS, ids=lambda panel: panel["title"])
def test_a_panel_says_what_it_shows_in_which_unit(panel: dict[str, Any]) -> None:
    assert panel["title"]
    assert panel["description"].endswith(".")
    assert panel["fieldConfig"]["defaults"]["unit"]
    for target in panel["targets"]:
        assert target.get("legendFormat") or target["format"] in {"table", "time_series"}
        assert target["datasource"] == panel["datasource"]
    assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"])


@pytest.mark.parametrize(
    ("title", "bounds"),
    [
        ("Engagement rate", [(None, "red"), (0.04, "yellow"), (0.06, "green")]),
        ("Cost per follow", [(None, "green"), (0.01, "yellow"), (0.02, "red")]),
        ("Revenue projection", [(None, "red"), (16_000, "yellow"), (20_000, "green")]),
    ],
)
def test_targets_are_the_thresholds(title: str, bounds: list[tuple[float | None, str]]) -> None:
    [panel] = [each for each in PANELS if each["title"] == title]
    steps = panel["fieldConfig"]["defaults"]["thresholds"]["steps"]
    assert [(step["value"], step["color"]) for step in steps] == bounds


@pytest.mark.parametrize(("ratio", "denominator"), [("Engagement rate", "Views"), ("Cost per follow", "Follows")])
def test_a_ratio_has_its_denominator_next_to_it(ratio: str, denominator: str) -> None:
    titles = [panel["title"] for panel in PANELS]
    assert titles[titles.index(ratio) + 1] == denominator
    places = {panel["title"]: panel["gridPos"] for panel in PANELS}
    assert places[ratio]["y"] == places[denominator]["y"]


def test_panels_have_ids_of_their_own_and_do_not_overlap() -> None:
    assert len({panel["id"] for panel in BOARD["panels"]}) == len(BOARD["panels"])
    for one, other in combinations((panel["gridPos"] for panel in BOARD["panels"]), 2):
        beside = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
        above = one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
        assert beside or above, (one, other)
    assert all(panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24 for panel in BOARD["panels"])


def test_every_panel_reads_from_a_source_that_is_provisioned() -> None:
    text = (GRAFANA / "provisioning" / "datasources" / "datasources.yaml").read_text(encoding="utf-8")
    provisioned = {(each["uid"], each["type"]) for each in yaml.safe_load(text)["datasources"]}
    assert {(panel["datasource"]["uid"], panel["datasource"]["type"]) for panel in PANELS} == provisioned


def test_personas_are_offered_from_series_of_the_catalogue() -> None:
    [persona] = [variable for variable in BOARD["templating"]["list"] if variable["name"] == "persona"]
    [(names, label)] = re.findall(r'^label_values\(\{__name__=~"([\w|]+)"\}, (\w+)\)$', persona["query"])
    assert all(label in CATALOGUE[name] for name in names.split("|"))


def test_the_window_variable_offers_all_windows_and_24h_first() -> None:
    [window] = [variable for variable in BOARD["templating"]["list"] if variable["name"] == "window"]
    assert [option["value"] for option in window["options"]] == list(WINDOWS)
    assert window["current"]["value"] == ["24h"]
