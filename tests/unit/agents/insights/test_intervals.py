"""When a post is asked for: minutes apart while it is young, daily when it is old, and not for ever."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from agents.insights.intervals import FIRST_DAY, FIRST_HOUR, Intervals
from agents.insights.settings import InsightsSettings

PUBLISHED = datetime(2026, 11, 27, 9, 30, tzinfo=UTC)
RULE = Intervals.of(InsightsSettings())


def polls(rule: Intervals) -> list[datetime]:
    """Return all polls of a post that are made in time."""
    at: datetime | None = rule.first(PUBLISHED)
    found = []
    while at is not None:
        found.append(at)
        at = rule.next(PUBLISHED, at)
    return found


def test_a_young_post_is_asked_for_every_few_minutes_and_an_old_one_daily() -> None:
    ages = [at - PUBLISHED for at in polls(RULE)]
    assert ages[:3] == [timedelta(minutes=2), timedelta(minutes=4), timedelta(minutes=6)]
    old = [age for age in ages if age > timedelta(days=11)]
    assert {later - age for age, later in pairwise(old[:-1])} == {timedelta(days=1)}


def test_the_last_poll_is_at_ninety_days_and_all_are_fewer_than_two_hundred() -> None:
    made = polls(RULE)
    assert made[-1] == PUBLISHED + timedelta(days=90)
    assert len(made) < 200


def test_the_first_hour_and_the_first_day_end_with_a_poll_that_still_falls_into_them() -> None:
    ages = [at - PUBLISHED for at in polls(RULE)]
    for span in (FIRST_HOUR, FIRST_DAY):
        assert any(span - timedelta(minutes=1) <= age < span for age in ages)


@given(
    least=st.floats(0.01, 3_600),
    most=st.floats(0.01, 86_400),
    share=st.floats(0.001, 1),
    age_s=st.floats(-3_600, 100 * 86_400),
)
def test_the_next_poll_is_later_within_bounds_and_never_beyond_the_end(
    least: float, most: float, share: float, age_s: float
) -> None:
    rule = Intervals.of(InsightsSettings(insights_least_s=least, insights_most_s=most, insights_share=share))
    now = PUBLISHED + timedelta(seconds=age_s)
    due = rule.next(PUBLISHED, now)
    end = PUBLISHED + timedelta(days=90)
    if due is None:
        assert now >= end
    else:
        assert now < due <= end
        assert due - now <= timedelta(seconds=max(most, least)) + timedelta(microseconds=1)
