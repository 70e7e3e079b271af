"""What Prometheus is told to scrape."""

from __future__ import annotations

import json
from pathlib import Path

import yaml

from streams.embedded.prometheus import TARGETS, PrometheusServer, Target, render_configuration, render_targets


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
