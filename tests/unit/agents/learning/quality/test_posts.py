"""Posts joined with their drafts: whatever the order of the log, once each, and what is left out is counted."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from agents.learning.quality.posts import FEATURES, SIMULATED, Gathering, Material
from schemas.records import DraftScored, HookReward
from tests.support.quality_posts import HOOKS_PAY, drawn_posts, reward_of, scored_of

POSTS = drawn_posts(9, HOOKS_PAY, 1)


def gathered(
    rewards: list[HookReward], scored: list[DraftScored], *, with_simulated: bool = False, most: int = 100
) -> Material:
    gathering = Gathering(with_simulated=with_simulated, most_posts=most, most_drafts=most)
    for reward in rewards:
        gathering.take_reward(reward)
    for each in scored:
        gathering.take_scored(each)
    return gathering.material()


@given(st.permutations([reward_of(each, revision=number) for each in POSTS for number in (1, 2)]), st.data())
def test_the_order_of_the_log_and_records_that_come_again_do_not_matter(
    rewards: list[HookReward], data: st.DataObject
) -> None:
    scored = data.draw(st.permutations([scored_of(each) for each in POSTS] * 2))
    assert gathered(rewards, scored) == gathered(
        [reward_of(each) for each in POSTS], [scored_of(each) for each in POSTS]
    )


@given(st.permutations([reward_of(each) for each in POSTS]), st.integers(1, 9))
def test_the_newest_posts_count_where_there_are_too_many(rewards: list[HookReward], most: int) -> None:
    found = gathered(rewards, [scored_of(each) for each in POSTS], most=most)
    newest = sorted(POSTS, key=lambda each: (each.published_at, each.post_id))[-most:]
    assert list(found.posts) == newest


def test_the_greatest_revision_and_the_first_score_stand() -> None:
    first, *_ = POSTS
    late = replace(first, engagements=first.engagements + 7)
    rescored = replace(
        scored_of(replace(first, features=(1.0,) * len(FEATURES))), occurred_at=first.published_at + timedelta(hours=1)
    )
    found = gathered([reward_of(late, revision=2), reward_of(first)], [rescored, scored_of(first)])
    assert list(found.posts) == [late]


def test_a_draft_that_was_scored_before_there_was_a_feature_counts_when_it_is_scored_again() -> None:
    first, *_ = POSTS
    again = replace(scored_of(first), event_id="again", occurred_at=first.published_at + timedelta(days=2))
    for scored in ([scored_of(first, without=["novelty"]), again], [again, scored_of(first, without=["novelty"])]):
        assert list(gathered([reward_of(first)], scored).posts) == [first]


def test_drafts_that_were_scored_after_the_newest_post_change_nothing() -> None:
    first, second = POSTS[0], POSTS[-1]
    later = replace(scored_of(POSTS[1]), occurred_at=second.published_at + timedelta(minutes=1))
    rewards = [reward_of(first), reward_of(second)]
    before = gathered(rewards, [scored_of(first), scored_of(second)])
    assert gathered(rewards, [later, scored_of(first), scored_of(second)]) == before
    assert list(before.drafts) == [first.features, second.features]


def test_rewards_of_other_ages_are_passed_over() -> None:
    first, *_ = POSTS
    assert gathered([reward_of(first, age_hours=1), reward_of(first, age_hours=168)], [scored_of(first)]).posts == []


def test_what_is_left_out_is_counted_by_reason() -> None:
    simulated, unseen, unscored, old, foreign = POSTS[:5]
    simulated, unseen = replace(simulated, is_simulated=True), replace(unseen, views=0, engagements=0)
    rewards = [reward_of(each) for each in (simulated, unseen, unscored, old, foreign)]
    scored = [
        scored_of(simulated),
        scored_of(unseen),
        scored_of(old, without=["novelty"]),
        scored_of(foreign, more={"humour": 0.5}),
    ]
    found = gathered(rewards, scored)
    assert list(found.posts) == [foreign]
    assert found.left_out == {
        SIMULATED: 1,
        "nobody viewed it": 1,
        "its draft was not scored here": 1,
        "its draft lacks a feature": 1,
    }
    assert simulated in gathered(rewards, scored, with_simulated=True).posts


def test_features_that_are_no_shares_are_none_and_drafts_under_a_gate_say_nothing_of_the_threshold() -> None:
    first, second, third = POSTS[:3]
    broken = scored_of(first, more={"novelty": float("nan")})
    gated = scored_of(second, more={"safety": 0.0})
    found = gathered([reward_of(each) for each in (first, second, third)], [broken, gated, scored_of(third)])
    assert [each.post_id for each in found.posts] == [second.post_id, third.post_id]
    assert list(found.drafts) == [third.features]
