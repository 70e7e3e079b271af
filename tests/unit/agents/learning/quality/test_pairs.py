"""Pairs: of one persona, near each other, and no post counts without bounds."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import numpy as np

from agents.learning.quality.fitting import fitted_weights
from agents.learning.quality.pairs import NEAR, NEIGHBOURS, pairs_of
from agents.learning.quality.posts import FEATURES, Post
from tests.support.quality_posts import FIRST, HOOKS_PAY, drawn_posts

EVEN = (0.5,) * len(FEATURES)


def post(name: str, engagements: int, *, persona: str = "ada", days: float = 0.0, views: int = 1000) -> Post:
    return Post(name, persona, FIRST + timedelta(days=days), views, engagements, EVEN)


def named(posts: list[Post]) -> list[tuple[str, str]]:
    pairs = pairs_of(posts)
    found = zip(pairs.better.tolist(), pairs.worse.tolist(), strict=True)
    return [(pairs.posts[better].post_id, pairs.posts[worse].post_id) for better, worse in found]


def test_a_pair_is_of_one_persona_and_near_in_time() -> None:
    far = NEAR.total_seconds() / 86_400 + 1
    some = [post("a", 10), post("b", 30, days=1), post("c", 20, persona="bo"), post("d", 99, days=1 + far)]
    assert named(some) == [("b", "a")]


def test_a_tie_is_no_pair() -> None:
    assert named([post("a", 10), post("b", 10), post("c", 11)]) == [("c", "a"), ("c", "b")]


def test_a_post_meets_its_next_neighbours_alone() -> None:
    pairs = pairs_of([post(str(number), number, days=number / 100) for number in range(40)])
    together = np.bincount(np.concatenate([pairs.better, pairs.worse]))
    assert int(together.max()) == 2 * NEIGHBOURS


def test_views_make_a_post_weigh_more_up_to_a_bound() -> None:
    def weight(views: int) -> float:
        rare = [post(str(day), views * (50 + 10 * (day % 3)) // 1000, days=day / 10, views=views) for day in range(30)]
        return float(pairs_of(rare).weights.sum())

    few, some, many, most = map(weight, (200, 10_000, 1_000_000, 100_000_000))
    assert few < some / 2
    assert some < many <= most
    assert most < 1.1 * many


def test_bought_likes_are_capped_and_count_no_more_the_more_there_are() -> None:
    some = drawn_posts(400, HOOKS_PAY, 5)

    def with_bought(likes: int) -> list[Post]:
        return [*some[:100], replace(some[100], views=10**7, engagements=likes), *some[101:]]

    assert pairs_of(with_bought(5 * 10**6)).capped == pairs_of(some).capped + 1
    honest, bought = fitted_weights(pairs_of(some)), fitted_weights(pairs_of(with_bought(5 * 10**6)))
    assert fitted_weights(pairs_of(with_bought(10**9))) == bought
    assert honest is not None
    assert bought is not None
    assert 0 < max(abs(honest[name] - bought[name]) for name in FEATURES) < 0.03


def test_more_engagements_than_views_count_as_one_each() -> None:
    some = [post(str(number), 30 + number, days=number / 10) for number in range(5)]
    assert pairs_of([*some, post("odd", 5_000, days=0.2)]).capped == 1
