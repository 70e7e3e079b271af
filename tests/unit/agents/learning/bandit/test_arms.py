"""Arms: a function of the set of rewards, in which young, old and bought posts count for what they are worth."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.learning.bandit.arms import POLICY, arms_of, dispersion, newest_of, prior_views
from agents.learning.bandit.arms_record import BadArms, arms_in, checksum_of, record_of
from schemas.records import HookArm, HookReward
from tests.support.rewards import reward

STYLES = ("failure report", "question", "tiny discovery")
ANY_REWARDS = st.lists(
    st.builds(
        reward,
        st.sampled_from(STYLES),
        st.integers(0, 60),
        views=st.integers(0, 10**6),
        engagements=st.integers(0, 10**6),
        age_hours=st.sampled_from((1, 24, 168)),
        revision=st.integers(1, 3),
        log_odds=st.none() | st.floats(-3, 3),
    ),
    min_size=1,
    max_size=40,
    unique_by=lambda each: each.event_id,
)


def mean(arm: HookArm) -> float:
    return arm.alpha / (arm.alpha + arm.beta)


def of(style: str, rewards: list[HookReward]) -> HookArm:
    return next(each for each in arms_of(rewards) if each.style == style)


@given(ANY_REWARDS, st.randoms(use_true_random=False))
def test_whatever_order_rewards_come_in_the_record_is_the_same(rewards: list[HookReward], random: Random) -> None:
    first = record_of("nova", rewards)
    again = [*rewards, *rewards[: len(rewards) // 2]]
    random.shuffle(again)
    assert record_of("nova", again) == first
    assert first is not None
    assert arms_in(first).arms == first.arms


@given(ANY_REWARDS)
def test_every_arm_is_a_distribution_within_the_bounds_of_its_posts(rewards: list[HookReward]) -> None:
    for arm in arms_of(rewards):
        assert arm.alpha > 0 < arm.beta
        assert 0 < mean(arm) < 1
        assert 0 <= arm.recent_share <= 1
        assert arm.capped_posts <= arm.posts
    assert sum(each.posts for each in arms_of(rewards)) == len(newest_of(rewards))


def test_of_a_post_the_greatest_age_and_revision_counts() -> None:
    young, ripe = reward("q", 1, age_hours=1, views=10), reward("q", 1, age_hours=24, views=100)
    corrected = reward("q", 1, age_hours=24, revision=2, views=90)
    assert newest_of([young, corrected, ripe]) == [corrected]
    assert arms_of([young, corrected, ripe]) == arms_of([corrected])


def test_a_style_that_readers_take_is_worth_more() -> None:
    rewards = [reward("good", n, engagements=40) for n in range(8)] + [
        reward("bad", n, engagements=8) for n in range(8)
    ]
    assert mean(of("good", rewards)) > 1.5 * mean(of("bad", rewards))


def test_a_young_post_counts_less_than_a_ripe_one_and_an_old_one_less_than_a_new_one() -> None:
    def counted(*, age_hours: int, days_ago: int) -> float:
        newest = reward("other", 24 * 200)
        one = replace(reward("q", 1, age_hours=age_hours), published_at=newest.published_at - timedelta(days=days_ago))
        arm = of("q", [one, newest])
        return arm.alpha + arm.beta

    assert counted(age_hours=1, days_ago=1) < counted(age_hours=24, days_ago=1) < counted(age_hours=168, days_ago=1)
    assert counted(age_hours=168, days_ago=90) < counted(age_hours=168, days_ago=1)


def test_views_of_one_post_are_correlated_so_a_hundred_posts_say_more_than_one_with_all_their_views() -> None:
    many = of("q", [reward("q", n, views=100, engagements=5) for n in range(100)])
    one = of("q", [reward("q", 1, views=10_000, engagements=500)])
    assert many.alpha + many.beta > 20 * (one.alpha + one.beta - prior_views(0.05))


def test_bought_likes_are_capped_and_said_to_be() -> None:
    """One post with every view a like: it counts as the best of the others do, within the cap, not as a revolution."""
    honest = [reward("a", n, engagements=20) for n in range(12)] + [reward("b", n, engagements=20) for n in range(12)]
    bought = reward("b", 13, views=5_000, engagements=5_000)
    arm, other = of("b", [*honest, bought]), of("a", [*honest, bought])
    assert (arm.capped_posts, other.capped_posts) == (1, 0)
    assert arm.engagements == 12 * 20 + 5_000, "what came is shown as it came"
    assert mean(arm) < 2 * mean(other)


def test_more_engagements_than_views_are_at_most_all_of_them() -> None:
    assert mean(of("q", [reward("q", n, views=10, engagements=1_000) for n in range(3)])) <= 0.5


def test_a_post_nobody_saw_says_nothing() -> None:
    seen = [reward("q", 1), reward("w", 2)]
    unseen = reward("w", 0, views=0, engagements=0)
    assert of("w", [*seen, unseen]).alpha == pytest.approx(of("w", seen).alpha, rel=1e-6)


def test_the_predictor_moves_the_prior_and_evidence_overrules_it() -> None:
    liked, disliked = (
        reward("liked", 1, views=20, engagements=1, log_odds=1.0),
        reward("disliked", 2, views=20, engagements=1, log_odds=-1.0),
    )
    assert mean(of("liked", [liked, disliked])) > 1.5 * mean(of("disliked", [liked, disliked]))
    proven = [reward("disliked", n, engagements=80, log_odds=-1.0) for n in range(3, 40)]
    others = [reward("liked", n, engagements=8, log_odds=1.0) for n in range(3, 40)]
    every = [liked, disliked, *proven, *others]
    assert mean(of("disliked", every)) > mean(of("liked", every))


@pytest.mark.parametrize("true", [0.002, 0.02, 0.1])
def test_the_correlation_of_views_is_found_in_the_posts(true: float) -> None:
    chance = np.random.default_rng(7)
    size = (1 - true) / true
    rates = chance.beta(0.05 * size, 0.95 * size, 600)
    views = chance.integers(50, 3_000, 600)
    hits = chance.binomial(views, rates)
    drawn = [reward("q", n, views=int(v), engagements=int(h)) for n, (v, h) in enumerate(zip(views, hits, strict=True))]
    assert dispersion(drawn) == pytest.approx(true, rel=0.25)


def test_few_posts_are_believed_to_be_as_others_are() -> None:
    assert dispersion([reward("q", 1)]) == POLICY.dispersion
    assert dispersion([reward("q", 1, views=0, engagements=0)]) == POLICY.dispersion


def test_no_reward_makes_no_arms() -> None:
    assert arms_of([]) == ()
    assert record_of("nova", []) is None


def test_a_record_that_is_not_what_its_checksum_was_made_of_is_refused() -> None:
    record = record_of("nova", [reward("q", 1), reward("w", 2)])
    assert record is not None
    for bad in (replace(record, rewards=3), replace(record, arms=record.arms[:1]), replace(record, persona_id="other")):
        with pytest.raises(BadArms, match="checksum"):
            arms_in(bad)
    broken = (replace(record.arms[0], alpha=float("nan")),)
    checksum = checksum_of(record.persona_id, record.rewards, broken)
    with pytest.raises(BadArms, match="no distribution"):
        arms_in(replace(record, arms=broken, checksum=checksum))
