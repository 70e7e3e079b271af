"""What Prometheus is told to scrape."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from streams.embedded.prometheus import (
    CONFIGURATION,
    TARGETS,
    PrometheusServer,
    Target,
    render_configuration,
    render_targets,
)


def test_the_configuration_takes_its_targets_from_the_file_next_to_it() -> None:
    [job] = yaml.safe_load(render_configuration())["scrape_configs"]
    assert job["file_sd_configs"][0]["files"] == [TARGETS]


def test_a_metrics_url_becomes_a_target_with_its_path() -> None:
    assert json.loads(render_targets([Target("http://127.0.0.1:9100/custom")])) == [
        {"targets": ["127.0.0.1:9100"], "labels": {"__metrics_path__": "/custom"}}
    ]
    assert json.loads(render_targets([Target("http://127.0.0.1:9100")]))[0]["labels"] == {
        "__metrics_path__": "/metrics"
    }
    assert json.loads(render_targets([])) == []


def test_the_series_of_a_worker_get_its_role_beside_those_of_the_sink() -> None:
    groups = json.loads(
        render_targets([Target("http://127.0.0.1:1/metrics"), Target("http://127.0.0.1:2/metrics", "kpis")])
    )
    assert [(group["targets"], group["labels"].get("role")) for group in groups] == [
        (["127.0.0.1:1"], None),
        (["127.0.0.1:2"], "kpis"),
    ]


def test_unchanged_targets_are_not_written_again(tmp_path: Path) -> None:
    server = PrometheusServer(Path("prometheus"), tmp_path, 9090)
    server.prepare()
    server.scrape([Target("http://127.0.0.1:9100/metrics")])
    before = (tmp_path / TARGETS).stat().st_mtime_ns
    server.scrape([Target("http://127.0.0.1:9100/metrics")])
    assert (tmp_path / TARGETS).stat().st_mtime_ns == before


def test_the_rules_lie_next_to_the_configuration_that_names_them(tmp_path: Path) -> None:
    PrometheusServer(Path("prometheus"), tmp_path, 9090, rules="groups: []\n").prepare()
    [rules] = yaml.safe_load((tmp_path / CONFIGURATION).read_text())["rule_files"]
    assert (tmp_path / rules).read_text() == "groups: []\n"


@pytest.mark.parametrize(
    ("url", "scheme", "target", "prefix"),
    [
        ("http://127.0.0.1:9093", "http", "127.0.0.1:9093", "/"),
        ("https://alerts.example.org/team", "https", "alerts.example.org", "/team"),
    ],
)
def test_an_alertmanager_is_told_at_its_url(url: str, scheme: str, target: str, prefix: str) -> None:
    [told] = yaml.safe_load(render_configuration(url))["alerting"]["alertmanagers"]
    assert told == {"scheme": scheme, "path_prefix": prefix, "static_configs": [{"targets": [target]}]}
    assert "alerting" not in yaml.safe_load(render_configuration())
