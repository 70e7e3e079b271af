"""An alert goes all the way: from a real Prometheus with the real rules through a real Alertmanager to a webhook."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import CollectorRegistry, Gauge, start_http_server

from agents.spend.metrics import BUDGET_USED
from streams.alerting.rules_file import render_rules
from streams.alerting.settings import AlertingSettings
from streams.embedded.ports import LOOPBACK, free_port
from streams.embedded.process import stop
from streams.embedded.prometheus import PrometheusServer, Target
from streams.embedded.server import run_server
from streams.settings import Settings
from tests.support.alert_cases import CASES
from tests.support.alertmanager import COMMITTED, AlertmanagerServer, Receiver, configuration, receiving

DEADLINE_S, TIMEOUT_S = 40, 10
AT_ONCE = {"TargetDown": "1s"}


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as found:
        yield found


@pytest.fixture
def alertmanager(alertmanager_program: Path, receiver: Receiver, tmp_path: Path) -> Iterator[str]:
    """The address of an Alertmanager that tells the receiver."""
    server = AlertmanagerServer(alertmanager_program, tmp_path / "alertmanager", free_port(), receiver.url)
    process = run_server(server, tmp_path / "logs")
    yield server.address
    assert stop(process, server.launch().stop_signal) == 0


@pytest.fixture
def overspent() -> Iterator[str]:
    """The metrics of a worker that tells of a budget that is all but spent."""
    registry = CollectorRegistry()
    Gauge(BUDGET_USED.name, BUDGET_USED.help, BUDGET_USED.labels, registry=registry).labels("ada", "day").set(0.96)
    exporter, thread = start_http_server(0, addr=LOOPBACK, registry=registry)
    yield f"http://{LOOPBACK}:{exporter.server_port}/metrics"
    exporter.shutdown()
    exporter.server_close()
    thread.join()


@pytest.fixture
def prometheus(prometheus_program: Path, alertmanager: str, overspent: str, tmp_path: Path) -> Iterator[None]:
    """A Prometheus as the embedded stack has it, that scrapes that worker and one that is not there."""
    rules = render_rules(Settings().having(AlertingSettings(alerts_for=AT_ONCE)))
    server = PrometheusServer(
        prometheus_program, tmp_path / "prometheus", free_port(), rules=rules, alertmanager_url=alertmanager
    )
    server.prepare()
    server.scrape([Target(overspent, role="spend"), Target(f"http://{LOOPBACK}:{free_port()}/metrics", role="kpis")])
    process = run_server(server, tmp_path / "logs")
    yield
    assert stop(process, server.launch().stop_signal) == 0


def received(receiver: Receiver, *names: str) -> dict[str, dict[str, Any]]:
    """Return the alerts of these names as the webhook got them, by name."""
    found: dict[str, dict[str, Any]] = {}
    until = time.monotonic() + DEADLINE_S
    while not set(names) <= set(found):
        notification = receiver.notifications.get(timeout=max(until - time.monotonic(), 0.01))
        found |= {alert["labels"]["alertname"]: alert for alert in notification["alerts"]}
    return found


def is_inhibited(alertmanager: str, name: str) -> bool:
    with urllib.request.urlopen(f"{alertmanager}/api/v2/alerts", timeout=TIMEOUT_S) as answer:
        alerts = [alert for alert in json.load(answer) if alert["labels"]["alertname"] == name]
    return bool(alerts) and all(alert["status"]["inhibitedBy"] for alert in alerts)


@pytest.mark.usefixtures("prometheus")
def test_what_fires_in_prometheus_reaches_the_webhook_and_what_it_makes_needless_does_not(
    receiver: Receiver, alertmanager: str
) -> None:
    alerts = received(receiver, "TargetDown", "BudgetPause")
    down, paused = alerts["TargetDown"], alerts["BudgetPause"]
    assert (down["status"], down["labels"]["severity"], down["labels"]["role"]) == ("firing", "critical", "kpis")
    assert down["annotations"]["runbook_url"] == "grafana/runbooks/target-down.md"
    assert paused["annotations"]["summary"] == "96% of the budget of ada for the day is spent"
    assert not {"BudgetWarning", "BudgetDowngrade"} & set(alerts)
    assert is_inhibited(alertmanager, "BudgetWarning")
    assert is_inhibited(alertmanager, "BudgetDowngrade")


@pytest.fixture
def amtool(alertmanager_program: Path) -> str:
    """The amtool that comes with Alertmanager."""
    beside = alertmanager_program.with_name("amtool")
    found = str(beside) if beside.exists() else shutil.which("amtool")
    if not found:
        pytest.skip("no amtool beside Alertmanager, nor on PATH: install the package `prometheus-alertmanager`")
    return found


def test_alertmanager_takes_the_committed_configuration(amtool: str, tmp_path: Path) -> None:
    file = tmp_path / "alertmanager.yml"
    file.write_text(yaml.safe_dump(configuration("http://127.0.0.1:1/alerts")), encoding="utf-8")
    done = subprocess.run(
        [amtool, "check-config", str(file)], capture_output=True, text=True, timeout=TIMEOUT_S, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("severity", ["critical", "warning", "info"])
def test_every_severity_has_a_receiver_and_the_sooner_it_is_the_less_is_waited(severity: str) -> None:
    root = yaml.safe_load(COMMITTED.read_text(encoding="utf-8"))["route"]
    waits = [seconds(route_of(root, each)["group_wait"]) for each in ("critical", "warning", "info")]
    assert waits == sorted(waits)
    assert route_of(root, severity)["receiver"] == "webhook"


def route_of(root: dict[str, Any], severity: str) -> dict[str, Any]:
    """Return what holds for alerts of a severity: of the first route that matches, else of the root."""
    matching = [route for route in root["routes"] if route["matchers"] == [f'severity="{severity}"']]
    return root | (matching[0] if matching else {})


def seconds(duration: str) -> int:
    return int(duration[:-1]) * {"s": 1, "m": 60, "h": 3600}[duration[-1]]


def test_what_inhibits_and_what_is_inhibited_are_alerts_with_the_labels_they_must_share() -> None:
    labels = {case.alert: set(case.fires_for[0]) for case in CASES if case.fires_for}
    rules = yaml.safe_load(COMMITTED.read_text(encoding="utf-8"))["inhibit_rules"]
    assert rules
    for rule in rules:
        for matcher in (*rule["source_matchers"], *rule["target_matchers"]):
            names = matcher.partition("=")[2].strip('~"').split("|")
            assert all(set(rule.get("equal", ())) <= labels[name] for name in names), (rule, names)
