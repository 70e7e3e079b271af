"""What posts say of styles: how often a false loser is told, how soon a true one, and what may not be believed."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest

from agents.learning.experiments.experiment_states import moved, new_experiment
from agents.learning.experiments.sequential import (
    LEAST_POSTS,
    boundary,
    look_at,
    posts_needed,
    probability_of_shares,
    verdict,
)
from schemas.records import Experiment, HookReward
from tests.support.rewards import reward

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
STYLES = ("a", "b", "c")


def experiment_of(*styles: str) -> Experiment:
    return moved(new_experiment("nova", styles, STYLES, NOW, by="ada"), "active", NOW, by="ada")


def drawn(experiment: Experiment, rates: dict[str, float], posts: int, seed: int) -> list[HookReward]:
    """Draw posts with few and many views, whose rates differ from post to post (rho about .02)."""
    chance = np.random.default_rng(seed)
    found = []
    for number in range(posts):
        for style, rate in rates.items():
            views = int(chance.lognormal(5.5, 1.0)) + 1
            own = chance.beta(rate * 50, (1 - rate) * 50)
            made = reward(style, number, views=views, engagements=int(chance.binomial(views, own)), age_hours=24)
            found.append(replace(made, choice=replace(made.choice, experiment_id=experiment.experiment_id)))
    return found


def first_told(experiment: Experiment, rewards: list[HookReward], step: int) -> tuple[int, tuple[str, ...]] | None:
    """Look after every `step` posts a style; return at how many something was told first, and what."""
    styles = len(experiment.styles)
    for posts in range(LEAST_POSTS, len(rewards) // styles + 1, step):
        losers = look_at(experiment, rewards[: posts * styles]).losers
        if losers:
            return posts, losers
    return None


def test_looking_again_and_again_tells_a_false_loser_in_few_of_many_experiments() -> None:
    """Three styles that are alike, looked at ten times each: at most the stated 5 % may stop one, over all looks."""
    experiment = experiment_of(*STYLES)
    false = sum(
        first_told(experiment, drawn(experiment, dict.fromkeys(STYLES, 0.05), 200, seed), 20) is not None
        for seed in range(60)
    )
    assert false <= 6, f"{false} of 60, where 3 are allowed on average"


def test_a_style_twice_as_good_is_found_soon_and_the_best_is_never_stopped() -> None:
    experiment = experiment_of("a", "b")
    found = [first_told(experiment, drawn(experiment, {"a": 0.10, "b": 0.05}, 300, seed), 4) for seed in range(40)]
    told = [each for each in found if each is not None]
    assert len(told) == 40
    assert {losers for _, losers in told} == {("b",)}
    assert np.median([posts for posts, _ in told]) <= 60


def test_the_boundary_is_wider_than_that_of_one_look_and_narrowest_where_it_was_tuned() -> None:
    assert boundary(80, 0.05) > 1.96 * 1.3
    assert boundary(80, 0.01) > boundary(80, 0.05)
    assert boundary(80, 0.05) < boundary(4, 0.05)
    assert boundary(80, 0.05) < boundary(8_000, 0.05)


def test_before_there_are_posts_enough_nothing_is_told() -> None:
    experiment = experiment_of("a", "b")
    look = look_at(experiment, drawn(experiment, {"a": 0.5, "b": 0.01}, LEAST_POSTS - 1, 1))
    assert look.differences == ()
    assert look.losers == ()
    assert "not enough evidence: 12 posts" in verdict(experiment, look)
    assert look_at(experiment, []).figures[0].posts == 0


def test_all_ties_and_posts_nobody_saw_are_not_enough_evidence() -> None:
    experiment = experiment_of("a", "b")
    ties = drawn(experiment, {"a": 0.05, "b": 0.05}, 30, 1)
    same = [replace(each, views=100, engagements=5) for each in ties]
    look = look_at(experiment, same)
    assert look.losers == ()
    assert [(each.value, each.low <= 0 <= each.high) for each in look.differences] == [(0.0, True)]
    unseen = [replace(each, views=0, engagements=0) for each in ties]
    assert [each.posts for each in look_at(experiment, unseen).figures] == [0, 0]


def test_rewards_of_another_experiment_or_age_are_left_out_and_the_greatest_revision_counts() -> None:
    experiment = experiment_of("a", "b")
    [one, other] = drawn(experiment, {"a": 0.05, "b": 0.05}, 1, 1)
    strange = replace(one, post_id="x", choice=replace(one.choice, experiment_id="another"))
    week = replace(one, post_id="y", age_hours=168)
    corrected = replace(one, revision=2, views=one.views + 7)
    look = look_at(experiment, [corrected, one, other, strange, week])
    assert [(each.posts, each.views) for each in look.figures] == [(1, one.views + 7), (1, other.views)]


def test_shares_of_posts_that_are_no_chance_are_told_and_then_nothing_else_is() -> None:
    experiment = experiment_of("a", "b")
    rewards = drawn(experiment, {"a": 0.20, "b": 0.02}, 60, 3)
    few = [each for each in rewards if each.choice.style == "a" or int(each.post_id.split("-")[1]) < 13]
    look = look_at(experiment, few)
    assert look.is_uneven
    assert look.losers == ()
    assert "60 to 13" in verdict(experiment, look)


@pytest.mark.parametrize(("posts", "exact"), [((10, 10), 1.0), ((14, 6), 0.115), ((60, 40), 0.0569)])
def test_the_probability_of_shares_is_that_of_the_binomial(posts: tuple[int, int], exact: float) -> None:
    total = sum(posts)
    ways = sum(math.comb(total, k) for k in range(total + 1) if abs(k - total / 2) >= abs(posts[0] - total / 2))
    assert ways / 2**total == pytest.approx(exact, abs=0.001)
    assert probability_of_shares(posts) == pytest.approx(exact, abs=0.01)


def test_how_many_posts_are_needed_grows_with_a_smaller_difference() -> None:
    experiment = experiment_of("a", "b")
    look = look_at(experiment, drawn(experiment, {"a": 0.05, "b": 0.05}, 40, 5))
    needed = posts_needed(look.figures, 0.05)
    finer = posts_needed(look.figures, 0.05, lift=0.1)
    assert needed is not None
    assert finer is not None
    assert 40 < needed < finer
    assert f"about {needed:,} posts" in verdict(experiment, look)
    assert posts_needed([], 0.05) is None
