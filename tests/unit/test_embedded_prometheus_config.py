"""What Prometheus is told to scrape."""

from __future__ import annotations

import json
from pathlib import Path

import yaml

from streams.embedded.prometheus import TARGETS, PrometheusServer, render_configuration, render_targets


def test_the_configuration_takes_its_targets_from_the_file_next_to_it() -> None:
    [job] = yaml.safe_load(render_configuration())["scrape_configs"]
    assert job["file_sd_configs"][0]["files"] == [TARGETS]


def test_a_metrics_url_becomes_a_target_with_its_path() -> None:
    assert json.loads(render_targets("http://127.0.0.1:9100/custom")) == [
        {"targets": ["127.0.0.1:9100"], "labels": {"__metrics_path__": "/custom"}}
    ]
    assert json.loads(render_targets("http://127.0.0.1:9100"))[0]["labels"] == {"__metrics_path__": "/metrics"}
    assert json.loads(render_targets(None)) == []


def test_unchanged_targets_are_not_written_again(tmp_path: Path) -> None:
    server = PrometheusServer(Path("prometheus"), tmp_path, 9090)
    server.prepare()
    server.scrape("http://127.0.0.1:9100/metrics")
    before = (tmp_path / TARGETS).stat().st_mtime_ns
    server.scrape("http://127.0.0.1:9100/metrics")
    assert (tmp_path / TARGETS).stat().st_mtime_ns == before
