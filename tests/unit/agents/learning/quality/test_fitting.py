"""Weights: planted ones are found, where features mean nothing nothing moves, and they are a share each."""

from __future__ import annotations

import math
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.learning.quality.fitting import fitted_weights
from agents.learning.quality.pairs import pairs_of
from agents.learning.quality.posts import FEATURES, Post
from agents.scoring.weights import GATES, WEIGHTS
from tests.support.quality_posts import FIRST, HOOKS_PAY, LENGTH_PAYS, drawn_posts

values = st.floats(0, 1, allow_nan=False).map(lambda value: round(value, 3))
posts = st.builds(
    Post,
    post_id=st.uuids().map(str),
    persona_id=st.sampled_from(["ada", "bo"]),
    published_at=st.datetimes(FIRST.replace(tzinfo=None), FIRST.replace(tzinfo=None, month=11)).map(
        lambda at: at.replace(tzinfo=FIRST.tzinfo)
    ),
    views=st.integers(1, 10**9),
    engagements=st.integers(0, 10**9),
    features=st.tuples(*[values] * len(FEATURES)),
)


@pytest.mark.parametrize("planted", [HOOKS_PAY, LENGTH_PAYS], ids=["hooks pay", "length pays"])
@pytest.mark.parametrize("seed", range(3))
def test_planted_weights_are_found(planted: dict[str, float], seed: int) -> None:
    found = fitted_weights(pairs_of(drawn_posts(2000, planted, seed)))
    assert found is not None
    assert max(abs(found[name] - planted[name]) for name in FEATURES) < 0.07
    assert max(abs(WEIGHTS[name] - planted[name]) for name in FEATURES) > 0.15


@pytest.mark.parametrize("seed", range(4))
def test_where_features_mean_nothing_and_where_posts_are_few_nothing_moves(seed: int) -> None:
    by_chance = fitted_weights(pairs_of(drawn_posts(2000, HOOKS_PAY, seed, slope=0.0))) or WEIGHTS
    few = fitted_weights(pairs_of(drawn_posts(30, HOOKS_PAY, seed)))
    assert few is not None
    assert max(abs(by_chance[name] - WEIGHTS[name]) for name in FEATURES) < 0.02
    assert max(abs(few[name] - WEIGHTS[name]) for name in FEATURES) < 0.02


@settings(max_examples=40)
@given(st.lists(posts, max_size=25, unique_by=lambda each: each.post_id))
def test_weights_are_shares_and_those_with_a_gate_stay(some: list[Post]) -> None:
    found = fitted_weights(pairs_of(some))
    if found is None:
        return
    assert found.keys() == WEIGHTS.keys()
    assert all(0 <= weight <= 1 for weight in found.values())
    assert math.fsum(found.values()) == pytest.approx(1, abs=1e-9)
    assert {name: found[name] for name in GATES} == {name: WEIGHTS[name] for name in GATES}


@settings(max_examples=5)
@given(st.integers(0, 10**6))
def test_the_order_of_the_log_does_not_matter(order: int) -> None:
    some = drawn_posts(300, HOOKS_PAY, 1)
    there = fitted_weights(pairs_of(some))
    Random(order).shuffle(some)
    assert fitted_weights(pairs_of(some)) == there


def test_a_feature_in_which_no_pair_differs_keeps_its_weight() -> None:
    place = FEATURES.index("novelty")
    some = [
        Post(
            each.post_id,
            each.persona_id,
            each.published_at,
            each.views,
            each.engagements,
            (*each.features[:place], 1.0, *each.features[place + 1 :]),
        )
        for each in drawn_posts(1000, HOOKS_PAY, 2)
    ]
    found = fitted_weights(pairs_of(some))
    assert found is not None
    assert found["novelty"] == WEIGHTS["novelty"]
    assert found["hook_strength"] > 0.35


def test_where_what_counts_as_good_only_harms_there_are_no_weights() -> None:
    assert fitted_weights(pairs_of(drawn_posts(2000, WEIGHTS, 3, slope=-8.0))) is None
