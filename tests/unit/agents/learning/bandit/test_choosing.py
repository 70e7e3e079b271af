"""Choosing: the propensity is what is picked with, every style is tried, and the same draft gets the same style."""

from __future__ import annotations

import time
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.learning.bandit.arms import POLICY
from agents.learning.bandit.choosing import Arms, choose, place_of, propensities
from schemas.records import HookArm

STYLES = ("a", "b", "c")
PARAMETER = st.floats(0.01, 5_000)
ANY_ARMS = st.lists(st.tuples(PARAMETER, PARAMETER, st.floats(0, 1)), min_size=1, max_size=8)


def arm(style: str, alpha: float, beta: float, recent_share: float = 0.0) -> HookArm:
    return HookArm(
        style=style,
        posts=1,
        views=1,
        engagements=0,
        alpha=alpha,
        beta=beta,
        recent_share=recent_share,
        capped_posts=0,
    )


def arms(*found: HookArm) -> Arms:
    return Arms("v1", found)


@given(ANY_ARMS)
def test_propensities_add_up_to_one_and_none_is_under_the_floor(found: list[tuple[float, float, float]]) -> None:
    styles = tuple(f"s{number}" for number in range(len(found)))
    shares = propensities(arms(*(arm(style, *each) for style, each in zip(styles, found, strict=True))), styles)
    assert sum(shares.values()) == pytest.approx(1, abs=1e-12)
    assert min(shares.values()) >= POLICY.floor / len(styles) - 1e-4
    assert tuple(shares) == styles


def test_styles_are_chosen_as_often_as_their_propensities_say() -> None:
    known = arms(arm("a", 30, 400), arm("b", 25, 400), arm("c", 10, 400))
    drawn = [choose(known, STYLES, f"draft-{number}") for number in range(20_000)]
    shares = propensities(known, STYLES)
    counts = Counter(each.style for each in drawn)
    for style in STYLES:
        assert counts[style] / len(drawn) == pytest.approx(shares[style], abs=0.01)
    assert {(each.style, each.propensity) for each in drawn} == set(shares.items())
    assert {each.arms_version for each in drawn} == {"v1"}


def test_a_better_style_is_chosen_more_often_and_a_tired_one_less() -> None:
    fresh = propensities(arms(arm("a", 30, 400), arm("b", 20, 400)), ("a", "b"))
    tired = propensities(arms(arm("a", 30, 400, recent_share=1.0), arm("b", 20, 400)), ("a", "b"))
    assert fresh["a"] > 0.8
    assert tired["a"] < fresh["a"]


def test_the_probability_of_being_best_is_that_of_two_distributions() -> None:
    """Of Beta(2, 1) and Beta(1, 1) the first is greater with probability 2/3: E[1 - F] by hand."""
    shares = propensities(arms(arm("a", 2, 1), arm("b", 1, 1)), ("a", "b"))
    assert shares["a"] == pytest.approx((1 - POLICY.floor) * 2 / 3 + POLICY.floor / 2, abs=0.01)


def test_without_history_every_style_is_as_likely() -> None:
    drawn = Counter(choose(None, STYLES, f"draft-{number}").style for number in range(9_000))
    assert all(count == pytest.approx(3_000, rel=0.06) for count in drawn.values())
    assert choose(None, STYLES, "d").propensity == pytest.approx(1 / 3)
    assert choose(None, STYLES, "d").arms_version is None


def test_one_style_is_certain_and_none_is_an_error() -> None:
    assert choose(arms(arm("a", 1, 9)), ("a",), "d").propensity == 1
    with pytest.raises(ValueError, match="at least one"):
        choose(None, (), "d")


def test_a_style_that_arms_do_not_know_is_tried_and_one_that_is_gone_is_not() -> None:
    shares = propensities(arms(arm("a", 30, 400), arm("gone", 300, 400)), ("a", "new"))
    assert set(shares) == {"a", "new"}
    assert shares["new"] > 0.2


def test_a_choice_follows_from_the_draft_and_the_version_on_every_machine() -> None:
    assert place_of("v1|draft-1") == 0.41914674128494767
    known = arms(arm("a", 30, 400), arm("b", 25, 400), arm("c", 10, 400))
    assert [choose(known, STYLES, f"draft-{n}").style for n in range(8)] == [
        choose(known, STYLES, f"draft-{n}").style for n in range(8)
    ]
    other = Arms("v2", known.arms)
    assert any(choose(known, STYLES, f"{n}").style != choose(other, STYLES, f"{n}").style for n in range(50))


def test_a_choice_takes_no_time() -> None:
    known = arms(*(arm(f"s{n}", 5 + n, 200) for n in range(10)))
    styles = tuple(f"s{n}" for n in range(10))
    choose(known, styles, "warm")
    started = time.process_time()
    for number in range(2_000):
        choose(known, styles, f"draft-{number}")
    assert (time.process_time() - started) / 2_000 < 0.0002
