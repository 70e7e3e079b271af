"""The audience: the same for the same post, growing but for corrections, and as large as real audiences are."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.simulator.audience import FULL_AGE_S, INTERACTIONS, Audience, audience_of, split

POSTS = 10_000
LINKS = ("https://a.example/1", "https://b.example/2")
ids = st.integers(10**16, 10**17 - 1).map(str)
ages = st.floats(0, 2 * FULL_AGE_S)


def rates(median_views: int) -> tuple[list[float], list[float]]:
    """Return the interactions and the clicks per view of many posts, interactions sorted."""
    found = [audience_of(str(10**16 + number), 1, median_views, LINKS) for number in range(POSTS)]
    return sorted(sum(each.interactions.values()) / each.views for each in found), [
        sum(each.clicks.values()) / each.views for each in found
    ]


@pytest.mark.parametrize("median_views", [1_000, 2_500, 20_000])
def test_rates_are_those_of_real_posts(median_views: int) -> None:
    interactions, clicks = rates(median_views)
    assert interactions[POSTS // 2] == pytest.approx(0.0030, rel=0.07)
    assert interactions[POSTS * 99 // 100] == pytest.approx(0.0154, rel=0.07)
    assert sum(each > 0.06 for each in interactions) <= 5
    assert sum(clicks) / POSTS == pytest.approx(0.0152, rel=0.03)


def test_half_of_the_posts_get_the_median_of_views() -> None:
    views = sorted(audience_of(str(10**16 + number), 1, 2_500).views for number in range(POSTS))
    assert views[POSTS // 2] == pytest.approx(2_500, rel=0.05)


@given(ids, st.integers(0, 9), ages, ages)
def test_totals_never_fall_as_a_post_ages(post_id: str, seed: int, one: float, other: float) -> None:
    audience = audience_of(post_id, seed, 2_500, LINKS)
    younger, older = sorted([one, other])
    before, after = audience.totals(younger), audience.totals(older)
    assert all(before[metric] <= after[metric] for metric in before)
    assert audience.follows_at(younger) <= audience.follows_at(older)
    assert all(audience.clicks_at(younger)[link] <= audience.clicks_at(older)[link] for link in LINKS)


@given(ids, ages)
def test_nobody_interacts_who_did_not_view(post_id: str, age_s: float) -> None:
    totals = audience_of(post_id, 1, 100).totals(age_s)
    assert sum(totals[kind] for kind in INTERACTIONS) <= totals["views"]


@given(ids, st.floats(FULL_AGE_S, 1e9), st.floats(-1e9, 0))
def test_a_new_post_has_nothing_and_an_old_one_stands_still(post_id: str, old: float, early: float) -> None:
    audience = audience_of(post_id, 1, 2_500, LINKS)
    assert set(audience.totals(early).values()) == {0}
    assert audience.totals(old) == {"views": audience.views, **audience.interactions}
    assert audience.clicks_at(old) == audience.clicks
    assert audience.follows_at(old) == audience.follows


def test_an_audience_follows_from_the_post_and_the_seed_alone() -> None:
    first = audience_of("20000000000000001", 1, 2_500, LINKS)
    audience_of.cache_clear()
    assert audience_of("20000000000000001", 1, 2_500, LINKS) == first
    assert audience_of("20000000000000001", 2, 2_500, LINKS) != first
    assert audience_of("20000000000000002", 1, 2_500, LINKS) != first


def test_links_are_what_is_clicked() -> None:
    assert audience_of("20000000000000001", 1, 2_500).clicks == {}
    assert set(audience_of("20000000000000001", 1, 2_500, LINKS).clicks) == set(LINKS)


@given(ids, st.data())
def test_a_total_is_reached_at_the_age_that_is_told(post_id: str, data: st.DataObject) -> None:
    audience: Audience = audience_of(post_id, 1, 20_000)
    replies = audience.interactions["replies"]
    if replies:
        number = data.draw(st.integers(1, replies))
        age_s = audience.age_of("replies", number)
        assert audience.totals(age_s)["replies"] >= number
        assert audience.totals(age_s - 1)["replies"] < number


@settings(max_examples=200)
@given(st.integers(0, 10**6), st.lists(st.floats(0.01, 1), min_size=1, max_size=8), st.floats(0, 1, exclude_max=True))
def test_parts_are_the_whole_again(number: int, weights: list[float], phase: float) -> None:
    parts = split(number, weights, phase)
    assert sum(parts) == number
    assert min(parts) >= 0
    assert len(parts) == len(weights)
