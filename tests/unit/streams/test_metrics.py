"""The catalogue of metrics: joined from what streams, agents and sinks declare, and complete."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from streams.metrics import ENGINE_METRICS, catalogue

REPOSITORY = Path(__file__).resolve().parents[3]
PACKAGES = ("schemas", "streams", "agents", "sinks", "grafana")


def made() -> Iterator[tuple[str, str]]:
    """Yield the file and name of each metric that is made anywhere."""
    for path in (each for package in PACKAGES for each in (REPOSITORY / package).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Metric":
                first = node.args[0] if node.args else None
                assert isinstance(first, ast.Constant), f"{path}: a metric's name is a plain text"
                yield str(path.relative_to(REPOSITORY)), str(first.value)


def test_every_metric_that_is_made_is_in_the_catalogue_once() -> None:
    assert sorted(name for _, name in made()) == sorted(metric.name for metric in catalogue())


def test_agents_and_sinks_bring_theirs() -> None:
    assert {path.split("/")[0] for path, _ in made()} == {"streams", "agents", "sinks"}
    assert len(catalogue()) > len(ENGINE_METRICS) > 0


def test_two_metrics_of_one_name_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streams.metrics.ENGINE_METRICS", (*ENGINE_METRICS, replace(ENGINE_METRICS[0])))
    with pytest.raises(ValueError, match=f"the metric {ENGINE_METRICS[0].name} is declared twice"):
        catalogue.__wrapped__()
