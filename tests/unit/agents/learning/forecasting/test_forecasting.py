"""Forecasts: intervals hold as often as they say on the simulator's curves, and little history is an answer."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from scipy import stats

from agents.learning.forecasting.early import AGES, LEAST_POSTS, backtested, coverage, forecast
from agents.learning.forecasting.moves import hours_of_day, trends, widened
from agents.learning.forecasting.post_starts import DAY, PostStart
from tests.support.post_starts import FIRST, simulated_post

LATER = FIRST + timedelta(days=400)
POSTS = [simulated_post(number) for number in range(400)]


@pytest.mark.parametrize("minutes", AGES)
def test_the_interval_holds_what_comes_as_often_as_it_says(minutes: int) -> None:
    """Of 1,400 posts of four audiences: 80 %, give or take what chance explains."""
    found = [coverage([simulated_post(n, seed=seed) for n in range(380)], minutes, LATER) for seed in (2, 3, 5, 6)]
    shares = [each.share for each in found if each]
    assert 0.77 <= np.mean(shares) <= 0.84, shares
    for each in found:
        assert each is not None
        assert each.low <= each.share <= each.high


def test_an_hour_tells_more_than_ten_minutes() -> None:
    ten, hour = (coverage(POSTS, minutes, LATER) for minutes in AGES)
    assert ten is not None
    assert hour is not None
    assert hour.width < 0.92 * ten.width


def test_nothing_of_a_post_that_was_not_finished_then_is_in_its_forecast() -> None:
    made = list(backtested(POSTS[:80], 60, LATER))
    other = [
        replace(each, views_1d=each.views_1d * 1_000) if number >= 60 else each
        for number, each in enumerate(POSTS[:80])
    ]
    again = list(backtested(other, 60, LATER))
    before = POSTS[60].published_at + DAY
    for (post, first), (_, second) in zip(made, again, strict=True):
        if post.published_at < before:
            assert first == second


def test_of_few_finished_posts_nothing_is_foretold_and_other_personas_help_out() -> None:
    few = POSTS[: LEAST_POSTS - 1]
    new = simulated_post(399)
    assert forecast(new, few, 60, LATER) is None
    others = [simulated_post(number, "ada") for number in range(LEAST_POSTS)]
    found = forecast(new, [*few, *others], 60, LATER)
    assert found is not None
    assert (found.persona_id, found.posts) == (None, len(few) + len(others))
    own = forecast(new, [*POSTS[:LEAST_POSTS], *others], 60, LATER)
    assert own is not None
    assert (own.persona_id, own.posts) == ("nova", LEAST_POSTS)
    assert forecast(new, POSTS, 60, FIRST) is None, "none is finished yet"


def test_a_forecast_is_not_under_what_is_there_and_a_post_nobody_saw_has_one() -> None:
    for post in (POSTS[7], replace(POSTS[7], views_10m=0, views_1h=0, views_1d=0)):
        for minutes in AGES:
            found = forecast(post, POSTS, minutes, LATER)
            assert found is not None
            assert post.views_at(minutes) <= found.low <= found.views <= found.high


def of_topic(word: str, counts: list[int], start: datetime) -> list[PostStart]:
    return [
        replace(
            POSTS[0],
            post_id=f"{word}-{start:%d}-{number}",
            text=f"How the {word} grew, day {number}.",
            published_at=start + timedelta(hours=number),
            engagements_1d=count,
        )
        for number, count in enumerate(counts)
    ]


def test_a_topic_rises_falls_or_is_as_ever_against_its_own_history() -> None:
    now = LATER
    late, early = now - timedelta(days=4), now - timedelta(days=60)
    usual, few = [10, 12, 9, 11, 10, 8, 12, 9], [10, 30, 5, 20]
    posts = [
        *of_topic("tomatoes", usual, early), *of_topic("tomatoes", [40, 35, 44, 30, 38, 41, 36, 39], late),
        *of_topic("herbs", [50, 60, 40, 55, 52, 48, 57, 51], early), *of_topic("herbs", usual, late),
        *of_topic("bees", usual, early), *of_topic("bees", [9, 25, 14, 8, 9, 11, 10, 900], late),
        *of_topic("compost", few, early), *of_topic("compost", [900] * 12, late),
    ]  # fmt: skip
    found = {each.topic: each for each in trends(["tomatoes", "herbs", "bees", "compost", "seeds"], posts, now, 7)}
    assert {topic: each.verdict for topic, each in found.items()} == {
        "tomatoes": "rises",
        "herbs": "falls",
        "bees": "as ever",
        "compost": "too little history",
        "seeds": "too little history",
    }
    assert found["tomatoes"].ratio == pytest.approx(3.5, rel=0.05)


def test_where_nothing_moves_few_are_told_that_something_does() -> None:
    """Of 40 personas with five topics, and posts at any hour: 5 % each, over all topics or hours together."""
    topics, moved, hours = ["bees", "herbs", "naps", "seeds", "water"], 0, 0
    for seed in range(40):
        posts = [simulated_post(n, seed=seed, text=f"about {topics[n % 5]}") for n in range(240)]
        now = posts[-1].published_at + timedelta(days=2)
        moved += any(each.verdict in {"rises", "falls"} for each in trends(topics, posts, now, 10))
        hours += any(each.verdict in {"better", "worse"} for each in hours_of_day(posts, ZoneInfo("UTC"), now))
    assert moved <= 5
    assert hours <= 5


@pytest.mark.parametrize(("error", "free"), [(0.05, 7), (0.01, 9), (0.005, 30)])
def test_the_width_is_students(error: float, free: int) -> None:
    assert widened(error, free) == pytest.approx(stats.t(free).ppf(1 - error / 2), rel=0.005)


def test_hours_are_those_of_the_wall_clock_over_a_change_of_time() -> None:
    """Posts at 7:20 in Dublin, before and after clocks go forward, are of one hour."""
    zone = ZoneInfo("Europe/Dublin")
    posts = [
        replace(
            POSTS[0],
            post_id=f"{day}",
            views_1d=100,
            published_at=datetime(2026, 3, 20, 7, 20, tzinfo=zone) + timedelta(days=day),
        )
        for day in range(20)
    ]
    utc = [replace(each, published_at=each.published_at.astimezone(UTC)) for each in posts]
    [hour] = hours_of_day(utc, zone, LATER)
    assert (hour.hour, hour.posts, hour.verdict) == (7, 20, "not enough evidence")


def test_a_good_hour_is_found_and_few_posts_are_drawn_to_the_mean() -> None:
    chance = np.random.default_rng(3)
    posts = []
    for number in range(300):
        at = FIRST + timedelta(hours=number * 7)
        usual = 400 if at.hour == 20 else 100
        posts.append(
            replace(POSTS[0], post_id=f"h{number}", published_at=at, views_1d=int(usual * chance.lognormal(0, 0.6)))
        )
    found = hours_of_day(posts, ZoneInfo("UTC"), LATER)
    assert (found[0].hour, found[0].verdict) == (20, "better")
    assert 2 < found[0].times < 4
    once = replace(POSTS[0], post_id="once", published_at=FIRST.replace(hour=3, minute=30), views_1d=10**6)
    lucky = next(
        each
        for each in hours_of_day(
            [*[each for each in posts if each.published_at.hour != 3], once], ZoneInfo("UTC"), LATER
        )
        if each.hour == 3
    )
    assert lucky.times < 5
    assert hours_of_day(posts[:4], ZoneInfo("UTC"), LATER) == []
