"""The alerts: each names series that there are, is explained by a runbook, and has the thresholds of the settings."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import click
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.costs.settings import CostSettings
from agents.generation.settings import GenerationSettings
from agents.kpis import targets
from sinks.prometheus.settings import ThresholdSettings
from streams.alerting.alert import Alert, alert_groups
from streams.alerting.burn_rate import FAST, SLOW
from streams.alerting.http_alerts import FAST_ANSWER_S
from streams.alerting.rules_file import render_rules
from streams.alerting.settings import AlertingSettings
from streams.cli.main import main
from streams.errors import SettingsError
from streams.metrics import catalogue
from streams.settings import Settings, SettingsGroup, setting_kinds
from tests.support.promql import SERIES, compared_with, grouping_labels, selectors

GRAFANA = Path(__file__).resolve().parents[4] / "grafana"
RUNBOOKS = GRAFANA / "runbooks"
ALERTS = [alert for group in alert_groups(Settings()) for alert in group.alerts]
TARGET_LABELS = {"job", "instance", "role"}
BUILT_IN = {"up": set[str]()}


def name_of(alert: Alert) -> str:
    return alert.name


def rules(*groups: SettingsGroup) -> dict[str, dict[str, Any]]:
    """Return the rules of the file by the names of their alerts."""
    file = yaml.safe_load(render_rules(Settings().having(*groups)))
    return {rule["alert"]: rule for group in file["groups"] for rule in group["rules"]}


@pytest.mark.parametrize("alert", ALERTS, ids=name_of)
def test_an_alert_names_only_series_and_labels_of_the_catalogue(alert: Alert) -> None:
    known = SERIES | BUILT_IN
    found = selectors(alert.expression)
    assert found
    for selector in found:
        matched = {matcher.name for matcher in selector.matchers.matchers}
        assert selector.name in known, f"{alert.name}: no process exposes {selector.name}"
        assert matched <= known[selector.name] | TARGET_LABELS, (selector.name, matched)
    labels = set().union(*(known[selector.name] for selector in found)) | TARGET_LABELS
    assert grouping_labels(alert.expression) <= labels


def test_a_series_that_nobody_exposes_would_be_found() -> None:
    [found] = selectors('sum by (a) (rate(no_such_total{b="c"}[5m]))')
    assert found.name not in SERIES
    assert grouping_labels("sum by (a) (rate(no_such_total[5m]))") == {"a"}


@pytest.mark.parametrize("alert", ALERTS, ids=name_of)
def test_a_template_uses_only_labels_that_the_result_can_have(alert: Alert) -> None:
    used = set(re.findall(r"\$labels\.(\w+)", alert.summary + alert.description))
    labels = grouping_labels(alert.expression) | (TARGET_LABELS if alert.expression == "up == 0" else set())
    assert used <= labels


@pytest.mark.parametrize("alert", ALERTS, ids=name_of)
def test_an_alert_has_a_runbook_that_says_what_it_means_how_to_look_and_what_to_do(alert: Alert) -> None:
    text = (RUNBOOKS / alert.runbook).read_text(encoding="utf-8")
    parts = re.split(r"^#+ (.+)$", text, flags=re.MULTILINE)[1:]
    assert parts[0::2] == [alert.name, "What it means", "How to look", "What to do"]
    assert all(len(body.strip()) > 20 for body in parts[3::2])


def test_every_runbook_is_of_an_alert_that_links_to_it() -> None:
    linked = {Path(rule["annotations"]["runbook_url"]).name for rule in rules().values()}
    assert linked == {file.name for file in RUNBOOKS.iterdir()}


@pytest.mark.parametrize("file", sorted(RUNBOOKS.iterdir()), ids=lambda file: file.name)
def test_what_a_runbook_names_is_there(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    variables = {variable for kind in setting_kinds() for variable in kind.variables().values()}
    assert all((RUNBOOKS / link).exists() for link in re.findall(r"\]\(([^)#]+)\)", text))
    assert set(re.findall(r"THREADS_[A-Z_0-9]+", text)) - {"THREADS_HOME"} <= variables
    for command in re.findall(r"`threads-agent ([^`]+)`", text):
        check_command(command.split())
    for expression in re.findall(r"`((?:sum|histogram_quantile)[^`]+)`", text):
        assert all(selector.name in SERIES for selector in selectors(expression))


def check_command(words: list[str]) -> None:
    """Check that a command and its options exist."""
    command: click.Command | None = main
    context = click.Context(main)
    while words and isinstance(command, click.Group) and (found := command.get_command(context, words[0])):
        command, words = found, words[1:]
    assert command is not None
    assert command is not main, words
    options = {option for parameter in command.params for option in parameter.opts}
    assert {word for word in words if word.startswith("--")} <= options, (command.name, words)


def test_the_committed_rules_are_those_of_the_defaults() -> None:
    committed = (GRAFANA / "alerts" / "threads-agent.yml").read_text(encoding="utf-8")
    assert committed == render_rules(Settings()), "run `threads-agent alerts rules > grafana/alerts/threads-agent.yml`"


def test_the_table_of_the_readme_has_every_alert_as_it_is() -> None:
    readme = (GRAFANA / "README.md").read_text(encoding="utf-8").splitlines()
    rows = [
        f"| [{alert.name}](runbooks/{alert.runbook}) | {alert.severity} | {alert.threshold} | {alert.hold} |"
        for alert in ALERTS
    ]
    assert [line for line in readme if "](runbooks/" in line] == rows


def numbers(*groups: SettingsGroup) -> dict[str, list[float]]:
    """Return the numbers that the expression of each alert compares with."""
    return {name: compared_with(rule["expr"]) for name, rule in rules(*groups).items()}


def test_the_defaults_are_the_thresholds_of_the_system_that_this_one_follows() -> None:
    found, held = numbers(), {name: rule["for"] for name, rule in rules().items()}
    expected = {
        "EngagementRateLow": (0.04, "30m"),
        "CostPerFollowHigh": (0.02, "30m"),
        "RevenueLow": (0.8 * 20_000, "1h"),
        "QualityLow": (0.6, "1h"),
        "HttpSlow": (2, "10m"),
        "HttpErrors": (0.05, "5m"),
        "ConsumerLag": (1000, "2m"),
        "SpendHigh": (5, "0s"),
        "BudgetWarning": (0.8, "0s"),
        "BudgetDowngrade": (0.85, "0s"),
        "BudgetPause": (0.95, "0s"),
    }
    assert {name: (found[name][-1], held[name]) for name in expected} == expected
    assert held["NoPosts"] == "30m"


def test_the_goals_of_the_dashboard_are_alarming_where_the_alerts_are() -> None:
    wanted = ThresholdSettings()
    assert wanted.alert_engagement_rate == targets.ENGAGEMENT_RATE.alarm
    assert wanted.alert_cost_per_follow_dollars == targets.COST_PER_FOLLOW_DOLLARS.alarm
    assert wanted.alert_revenue_target_dollars == targets.REVENUE_DOLLARS.goal
    assert wanted.alert_revenue_target_dollars * wanted.alert_revenue_share == targets.REVENUE_DOLLARS.alarm


@settings(deadline=None, max_examples=25)  # 30 ms each for rendering and parsing the whole file
@given(
    rate=st.floats(0.001, 0.5),
    lag=st.integers(0, 10**9),
    seconds=st.floats(0.01, 1e4),
    warn=st.decimals("0.01", "0.80", places=2),
)
def test_a_threshold_is_what_the_settings_say(rate: float, lag: int, seconds: float, warn: Any) -> None:
    found = numbers(
        ThresholdSettings(alert_engagement_rate=rate),
        AlertingSettings(alert_lag_records=lag, alert_http_slow_s=seconds),
        CostSettings(budget_warn=warn),
    )
    assert found["EngagementRateLow"] == [pytest.approx(rate)]
    assert found["ConsumerLag"] == [lag]
    assert found["HttpSlow"] == [pytest.approx(seconds)]
    assert found["BudgetWarning"] == [pytest.approx(float(warn))]


def test_burn_rates_are_measured_by_the_objective() -> None:
    wanted = GenerationSettings(alert_request_objective=0.999)
    found = rules(wanted)
    for name, burns in (("RequestBurnFast", FAST), ("RequestBurnSlow", SLOW)):
        for burn in burns:
            for window in (burn.long, burn.short):
                pattern = rf"\[{window}\]\)\) > {re.escape(f'{burn.rate:g}')} \* 0\.001$"
                assert re.search(pattern, found[name]["expr"], flags=re.MULTILINE), (name, window)


def test_what_is_fast_enough_is_a_bound_of_the_histogram() -> None:
    [histogram] = [metric for metric in catalogue() if metric.name == "http_request_duration_seconds"]
    assert FAST_ANSWER_S in histogram.buckets


def test_an_alert_can_be_given_another_duration_or_be_left_out() -> None:
    found = rules(AlertingSettings(alerts_for={"ConsumerLag": "15m"}, alerts_off=("NoPosts",)))
    assert found["ConsumerLag"]["for"] == "15m"
    assert "NoPosts" not in found
    assert set(rules()) - set(found) == {"NoPosts"}


def test_the_variables_of_durations_and_of_what_is_left_out_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("THREADS_ALERTS_FOR", '{"ConsumerLag": "15m"}')
    monkeypatch.setenv("THREADS_ALERTS_OFF", "NoPosts, RevenueLow")
    wanted = AlertingSettings()
    assert (wanted.alerts_for, wanted.alerts_off) == ({"ConsumerLag": "15m"}, ("NoPosts", "RevenueLow"))


@pytest.mark.parametrize("wrong", [{"alerts_for": {"NoSuch": "1m"}}, {"alerts_off": ("NoSuch",)}])
def test_an_alert_that_there_is_not_is_refused_by_name(wrong: dict[str, Any]) -> None:
    with pytest.raises(SettingsError, match=r"there is no alert NoSuch; there are .*ConsumerLag"):
        render_rules(Settings().having(AlertingSettings(**wrong)))


@pytest.mark.parametrize("duration", ["soon", "-1m", "1.5h", "5"])
def test_a_duration_that_prometheus_does_not_take_is_refused(duration: str) -> None:
    with pytest.raises(ValueError, match="alerts_for"):
        AlertingSettings(alerts_for={"ConsumerLag": duration})


def test_runbooks_may_lie_elsewhere() -> None:
    found = rules(AlertingSettings(runbooks_url="https://example.org/books/"))
    assert found["NoPosts"]["annotations"]["runbook_url"] == "https://example.org/books/no-posts.md"
