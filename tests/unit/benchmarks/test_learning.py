"""Lost clicks and off-policy estimates of the learning benchmark, on drawn tests whose truth is known."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from tests.benchmarks.learning.arms_of_tests import TestArms, arms_of_tests
from tests.benchmarks.learning.command import learning
from tests.benchmarks.learning.judged_logs import judged_estimators
from tests.benchmarks.learning.regret import EQUAL, HORIZONS, POLICIES, Regret, lost_clicks, regrets
from tests.support.drawn_tests import draw_tests, write_tests

MAIN = HORIZONS.index(1_000)


@pytest.fixture(scope="module")
def arms() -> TestArms:
    """Return arms of drawn tests whose true strengths are foretold."""
    drawn = draw_tests(1, tests=150, views=20_000)
    return arms_of_tests(drawn.tests, drawn.truth)


@pytest.fixture(scope="module")
def found(arms: TestArms) -> dict[str, Regret]:
    return {each.policy: each for each in regrets(arms, (1,))}


def test_equal_split_loses_the_mean_gap_of_each_view(arms: TestArms) -> None:
    lost = lost_clicks(arms, POLICIES[EQUAL], 0, (1_000,))[:, 0]
    best = np.where(arms.there, arms.rate, 0).max(axis=1)
    gaps = np.where(arms.there, best[:, None] - arms.rate, 0).sum(axis=1)
    assert lost == pytest.approx(1_000 * gaps, rel=0.02, abs=0.5)


def test_a_predictor_that_knows_saves_clicks_and_who_learns_loses_less_than_equal_split(
    found: dict[str, Regret],
) -> None:
    saved = {name: each.saved_against(found[EQUAL])[MAIN] for name, each in found.items()}
    assert saved["Thompson + predictor"].low > saved["Thompson"].high
    assert saved["Thompson"].low > 0.1
    for each in saved.values():
        assert each.low <= each.share <= each.high


def test_a_policy_is_reproducible_and_never_loses_clicks_back(arms: TestArms) -> None:
    once, again = (lost_clicks(arms, POLICIES["Thompson"], 7) for _ in range(2))
    assert (once == again).all()
    assert (np.diff(once, axis=1) >= 0).all()


def test_what_is_foretold_well_is_worth_more_views(arms: TestArms) -> None:
    assert (arms.views > 2 * arms.base_views).all()
    blind = draw_tests(1, tests=150, views=20_000)
    nothing = arms_of_tests(blind.tests, np.zeros(len(blind.tests.test)))
    assert nothing.views == pytest.approx(nothing.base_views)


def test_off_policy_estimates_are_near_the_truth(arms: TestArms) -> None:
    for each in judged_estimators(arms, logs=60):
        assert abs(each.bias) < 0.06, each
        assert each.coverage >= 0.85, each


def test_the_command_prints_its_tables_and_draws(tmp_path: Path) -> None:
    file = str(write_tests(draw_tests(tests=60, views=3_000), tmp_path / "tests.csv"))
    arguments = [file, "--fast", "--plots", str(tmp_path / "plots")]
    table = CliRunner().invoke(learning, arguments, catch_exceptions=False, env={"COLUMNS": "80"})
    assert table.exit_code == 0
    assert "Thompson + predictor loses less than Thompson" in table.stdout
    assert max(map(len, table.stdout.splitlines())) <= 80
    for name in ("lost_clicks.png", "calibration.png"):
        assert (tmp_path / "plots" / name).read_bytes().startswith(b"\x89PNG")
    told = json.loads(CliRunner().invoke(learning, [file, "--fast", "--json"], catch_exceptions=False).stdout)
    assert set(told["policies"]) == set(POLICIES)
    assert told["horizons"] == list(HORIZONS)
