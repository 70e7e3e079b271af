"""Off-policy estimates: right on average, and their intervals hold the truth as often as they say."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from agents.learning.bandit.off_policy import Estimate, Floats, Logged, doubly_robust, ips, snips

RATES = np.array([0.05, 0.10, 0.20])
LOGGING = np.array([0.6, 0.3, 0.1])
TARGET = np.array([0.1, 0.2, 0.7])
TRUTH = float(RATES @ TARGET)


def drawn(seed: int, count: int = 4_000) -> tuple[Logged, np.ndarray[tuple[int], np.dtype[np.int64]]]:
    chance = np.random.default_rng(seed)
    chosen = chance.choice(3, count, p=LOGGING)
    clicked = (chance.random(count) < RATES[chosen]).astype(np.float64)
    return Logged(clicked, LOGGING[chosen], TARGET[chosen]), chosen


def robust(seed: int, model: Floats) -> Estimate:
    log, chosen = drawn(seed)
    return doubly_robust(log, model[chosen], np.full(len(chosen), model @ TARGET))


@pytest.mark.parametrize("estimator", [ips, snips])
def test_estimates_are_right_on_average_and_their_intervals_hold(estimator: Callable[[Logged], Estimate]) -> None:

    found = [estimator(drawn(seed)[0]) for seed in range(300)]
    assert np.mean([each.value for each in found]) == pytest.approx(TRUTH, rel=0.02)
    assert 0.91 <= np.mean([each.holds(TRUTH) for each in found]) <= 0.985


def test_doubly_robust_is_right_with_a_wrong_model_and_sharper_with_a_good_one() -> None:
    wrong = [robust(seed, np.array([0.3, 0.0, 0.1])) for seed in range(300)]
    good = [robust(seed, RATES) for seed in range(300)]
    plain = [ips(drawn(seed)[0]) for seed in range(300)]
    assert np.mean([each.value for each in wrong]) == pytest.approx(TRUTH, rel=0.02)
    assert np.std([each.value for each in good]) < 0.95 * np.std([each.value for each in plain])
    assert 0.91 <= np.mean([each.holds(TRUTH) for each in good]) <= 0.985


def test_snips_knows_when_rewards_are_all_alike() -> None:
    log, _ = drawn(1)
    ones = Logged(np.ones_like(log.reward), log.propensity, log.target)
    assert snips(ones).value == pytest.approx(1.0)
    assert snips(ones).interval == pytest.approx((1.0, 1.0))


def test_the_policy_that_was_logged_is_judged_by_the_plain_mean() -> None:
    log, _ = drawn(2)
    same = Logged(log.reward, log.propensity, log.propensity)
    assert ips(same).value == pytest.approx(float(log.reward.mean()))
