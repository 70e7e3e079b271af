"""Every alert fires when it should and stays quiet when it should not: promtool runs the rules on series of a test."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest
import yaml

from streams.alerting.alert import alert_groups
from streams.alerting.rules_file import render_rules
from streams.settings import Settings
from tests.support.alert_cases import CASES, Case, quiet

RULES = yaml.safe_load(render_rules(Settings()))
NAMES = [alert.name for group in alert_groups(Settings()) for alert in group.alerts]
TIMEOUT_S = 120


@pytest.fixture(scope="session")
def promtool(prometheus_program: Path) -> str:
    """The promtool that comes with Prometheus."""
    beside = prometheus_program.with_name("promtool")
    found = str(beside) if beside.exists() else shutil.which("promtool")
    if not found:
        pytest.skip(f"no promtool beside {prometheus_program}, nor on PATH: install the package `prometheus`")
    return found


def only(name: str) -> str:
    """Return the rules file with the one alert."""
    kept = [{**group, "rules": [rule for rule in group["rules"] if rule["alert"] == name]} for group in RULES["groups"]]
    return yaml.safe_dump({"groups": [group for group in kept if group["rules"]]})


def run(promtool: str, *arguments: str, folder: Path) -> None:
    done = subprocess.run(
        [promtool, *arguments], cwd=folder, capture_output=True, text=True, timeout=TIMEOUT_S, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_promtool_takes_the_rules(promtool: str, tmp_path: Path) -> None:
    (tmp_path / "rules.yml").write_text(render_rules(Settings()), encoding="utf-8")
    run(promtool, "check", "rules", "--lint=all", "--lint-fatal", "rules.yml", folder=tmp_path)


def write_suite(file: Path, cases: Sequence[Case]) -> None:
    """Write cases of one step as a file of promtool's; the rules are looked at as often as series have values."""
    suite = {
        "rule_files": ["rules.yml"],
        "evaluation_interval": cases[0].step,
        "tests": [case.as_promtool_has_it() for case in cases],
    }
    file.write_text(yaml.safe_dump(suite), encoding="utf-8")


@pytest.mark.parametrize("name", NAMES)
def test_an_alert_fires_when_it_should_and_at_no_other_time(name: str, promtool: str, tmp_path: Path) -> None:
    (tmp_path / "rules.yml").write_text(only(name), encoding="utf-8")
    mine = [case for case in CASES if case.alert == name]
    files = [f"every {step}.yml" for step in sorted({case.step for case in mine})]
    for file in files:
        write_suite(tmp_path / file, [case for case in mine if file == f"every {case.step}.yml"])
    run(promtool, "test", "rules", *files, folder=tmp_path)


@pytest.mark.parametrize("name", NAMES)
def test_there_are_cases_in_which_an_alert_fires_and_others_in_which_it_does_not(name: str) -> None:
    assert {bool(case.fires_for) for case in CASES if case.alert == name} == {True, False}


def test_cases_are_of_alerts_that_there_are() -> None:
    assert {case.alert for case in CASES} == set(NAMES)


def test_a_case_that_does_not_hold_is_found(promtool: str, tmp_path: Path) -> None:
    (tmp_path / "rules.yml").write_text(only("TargetDown"), encoding="utf-8")
    write_suite(tmp_path / "tests.yml", [quiet("TargetDown", "although it does not", "9m", {'up{job="x"}': "0x30"})])
    with pytest.raises(AssertionError, match="FAILED"):
        run(promtool, "test", "rules", "tests.yml", folder=tmp_path)
