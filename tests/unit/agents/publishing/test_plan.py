from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from random import Random
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from agents.personas.posting import PostingPlan
from agents.publishing.plan import may_publish_at, missed, next_due

MINUTE = timedelta(minutes=1)
NIGHTS = (  # with a change of the clocks within two days of them, in these zones
    ("Europe/Berlin", datetime(2026, 3, 29, tzinfo=UTC)),
    ("Europe/Berlin", datetime(2026, 10, 25, tzinfo=UTC)),
    ("America/St_Johns", datetime(2026, 3, 8, tzinfo=UTC)),
    ("Australia/Lord_Howe", datetime(2026, 4, 4, 15, tzinfo=UTC)),
    ("Australia/Lord_Howe", datetime(2026, 10, 3, 15, 30, tzinfo=UTC)),
    ("Africa/Casablanca", datetime(2026, 2, 15, tzinfo=UTC)),
    ("Africa/Casablanca", datetime(2026, 3, 22, tzinfo=UTC)),
    ("Pacific/Apia", datetime(2011, 12, 30, 10, tzinfo=UTC)),
    ("America/Santiago", datetime(2026, 9, 6, tzinfo=UTC)),
    ("Africa/Cairo", datetime(2026, 4, 24, tzinfo=UTC)),
    ("UTC", datetime(2026, 11, 22, tzinfo=UTC)),
)
MINUTES = st.integers(-2 * 1440, 2 * 1440)
CLOCK = st.times().map(lambda each: f"{each:%H:%M}")


def usable(fields: dict[str, object]) -> PostingPlan | None:
    try:
        return PostingPlan.model_validate(fields)
    except ValidationError:
        return None


def plans(zone: str, *, least_slots: int = 0, spacing: int = 300) -> st.SearchStrategy[PostingPlan]:
    fields = st.fixed_dictionaries(
        {
            "timezone": st.just(zone),
            "slots": st.lists(CLOCK, min_size=least_slots, max_size=4, unique=True).map(sorted),
            "quiet": st.lists(st.tuples(CLOCK, CLOCK).map("-".join), max_size=2),
            "spacing_min": st.integers(0, spacing),
        }
    )
    found: st.SearchStrategy[PostingPlan | None] = fields.map(usable)
    return found.filter(lambda plan: plan is not None)  # type: ignore[return-value]


def moments(night: datetime) -> st.SearchStrategy[datetime]:
    return MINUTES.map(lambda minutes: night + minutes * MINUTE)


PLANS_AND_MOMENTS = st.sampled_from(NIGHTS).flatmap(
    lambda each: st.tuples(plans(each[0]), moments(each[1]), st.lists(moments(each[1]), max_size=6))
)


def shows_quiet(plan: PostingPlan, at: datetime) -> bool:
    """Tell by the clock alone, as a person who looks at it would."""
    shown = f"{at.astimezone(ZoneInfo(plan.timezone)):%H:%M}"
    for text in plan.quiet:
        start, end = text.split("-")
        if (start <= shown < end) if start < end else (shown >= start or shown < end):
            return True
    return False


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@settings(max_examples=150, deadline=None)
@given(PLANS_AND_MOMENTS)
def test_quiet_hours_end_at_the_first_minute_that_the_clock_shows_outside_them(
    given_: tuple[PostingPlan, datetime, list[datetime]],
) -> None:
    plan, moment, _ = given_
    expected = moment
    while shows_quiet(plan, expected):
        expected += MINUTE
    assert may_publish_at(plan, moment) == expected


@settings(max_examples=150, deadline=None)
@given(PLANS_AND_MOMENTS)
def test_a_post_is_due_later_apart_from_others_and_outside_quiet_hours(
    given_: tuple[PostingPlan, datetime, list[datetime]],
) -> None:
    plan, after, taken = given_
    due = next_due(plan, after, taken)
    assert due > after if plan.slots else due >= after
    assert not shows_quiet(plan, due)
    assert all(abs(each - due) >= plan.spacing_min * MINUTE for each in taken)
    assert not plan.slots or due not in taken


@settings(max_examples=100, deadline=None)
@given(PLANS_AND_MOMENTS)
def test_without_slots_no_earlier_minute_would_do(given_: tuple[PostingPlan, datetime, list[datetime]]) -> None:
    plan, after, taken = given_
    plan = plan.model_copy(update={"slots": ()})
    due, minute = next_due(plan, after, taken), after
    while minute < due:
        near = any(abs(each - minute) < plan.spacing_min * MINUTE for each in taken)
        assert near or shows_quiet(plan, minute)
        minute += MINUTE


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(NIGHTS).flatmap(lambda each: st.tuples(plans(each[0], least_slots=1), moments(each[1]))))
def test_posts_one_after_another_get_slots_one_after_another_whatever_the_clocks_do(
    given_: tuple[PostingPlan, datetime],
) -> None:
    plan, after = given_
    taken: list[datetime] = []
    for _ in range(6):
        taken.append(next_due(plan, after, taken))
    assert taken == sorted(set(taken))
    assert all(later - earlier >= plan.spacing_min * MINUTE for earlier, later in pairwise(taken))


@settings(max_examples=60, deadline=None)
@given(PLANS_AND_MOMENTS, st.randoms(use_true_random=False))
def test_the_order_and_repetition_of_what_is_taken_change_nothing(
    given_: tuple[PostingPlan, datetime, list[datetime]],
    chance: Random,
) -> None:
    plan, after, taken = given_
    shuffled = [*taken, *taken]
    chance.shuffle(shuffled)
    assert next_due(plan, after, taken) == next_due(plan, after, shuffled)


@pytest.mark.parametrize(
    ("zone", "slot", "after", "due"),
    [
        ("Europe/Berlin", "02:30", "2026-03-29T00:00", "2026-03-29T01:30"),  # the clock jumps from 02:00 to 03:00
        ("Europe/Berlin", "02:30", "2026-10-24T22:00", "2026-10-25T00:30"),  # comes twice: the first
        ("Europe/Berlin", "02:30", "2026-10-25T00:30", "2026-10-26T01:30"),  # and not the second
        ("Europe/Berlin", "09:00", "2026-03-28T09:00", "2026-03-29T07:00"),  # an hour earlier in UTC, nine by the clock
        ("Australia/Lord_Howe", "02:10", "2026-10-03T12:00", "2026-10-03T15:40"),  # jumps from 02:00 to 02:30
        ("Australia/Lord_Howe", "01:45", "2026-04-04T12:00", "2026-04-04T14:45"),  # 01:30 to 02:00 comes twice
        ("Pacific/Apia", "08:00", "2011-12-29T18:00", "2011-12-30T18:00"),  # had no 30 December: the 31st's slot
        ("Pacific/Apia", "08:00", "2011-12-30T18:00", "2011-12-31T18:00"),
        ("Africa/Casablanca", "08:00", "2026-02-15T07:00", "2026-02-15T08:00"),  # in Ramadan at UTC
        ("Africa/Casablanca", "08:00", "2026-03-21T08:00", "2026-03-22T07:00"),  # and after it an hour ahead again
    ],
)
def test_a_slot_is_what_the_clock_shows_in_zones_that_do_odd_things(zone: str, slot: str, after: str, due: str) -> None:
    assert next_due(PostingPlan(timezone=zone, slots=(slot,)), at(after), ()) == at(due)


@pytest.mark.parametrize(
    ("zone", "quiet", "moment", "free"),
    [
        ("Europe/Berlin", "22:00-06:30", "2026-11-22T22:10", "2026-11-23T05:30"),  # crosses midnight
        ("Europe/Berlin", "22:00-06:30", "2026-11-23T05:30", "2026-11-23T05:30"),  # the end is outside
        ("Europe/Berlin", "22:00-02:30", "2026-03-28T23:00", "2026-03-29T01:00"),  # its end is jumped over: 03:00
        ("Europe/Berlin", "22:00-06:30", "2026-03-28T23:00", "2026-03-29T04:30"),  # an hour shorter
        ("Europe/Berlin", "22:00-06:30", "2026-10-24T23:00", "2026-10-25T05:30"),  # an hour longer
        ("Europe/Berlin", "02:10-02:40", "2026-10-25T00:15", "2026-10-25T00:40"),  # comes twice: between is not quiet
        ("Europe/Berlin", "02:10-02:40", "2026-10-25T01:15", "2026-10-25T01:40"),
        ("Europe/Berlin", "02:30-04:00", "2026-10-25T00:45", "2026-10-25T01:00"),  # set back to before its beginning
        ("Australia/Lord_Howe", "01:00-02:15", "2026-10-03T15:00", "2026-10-03T15:30"),
        ("Pacific/Apia", "20:00-06:00", "2011-12-30T08:00", "2011-12-30T16:00"),  # over midnight and the missing day
        ("UTC", "06:00-07:00", "2026-11-22T12:00", "2026-11-22T12:00"),
    ],
)
def test_quiet_hours_are_over_when_the_clock_says_so(zone: str, quiet: str, moment: str, free: str) -> None:
    assert may_publish_at(PostingPlan(timezone=zone, quiet=(quiet,)), at(moment)) == at(free)


def test_a_slot_that_is_taken_goes_to_the_next_one() -> None:
    plan = PostingPlan(slots=("08:00", "12:00", "20:00"))
    taken = [at("2026-11-22T08:00"), at("2026-11-22T12:00")]
    assert next_due(plan, at("2026-11-22T06:00"), taken) == at("2026-11-22T20:00")
    assert next_due(plan, at("2026-11-22T06:00"), [*taken, at("2026-11-22T20:00")]) == at("2026-11-23T08:00")


def test_slots_nearer_to_another_post_than_the_spacing_are_passed_over() -> None:
    plan = PostingPlan(slots=("08:00", "08:30", "10:00"), spacing_min=60)
    assert next_due(plan, at("2026-11-22T06:00"), [at("2026-11-22T08:00")]) == at("2026-11-22T10:00")
    assert next_due(plan, at("2026-11-22T06:00"), [at("2026-11-22T08:59")]) == at("2026-11-22T10:00")
    assert next_due(plan, at("2026-11-22T06:00"), [at("2026-11-22T07:00")]) == at("2026-11-22T08:00")


def test_without_slots_a_post_is_due_at_once_or_as_soon_as_spacing_and_quiet_hours_allow() -> None:
    now = at("2026-11-22T21:30")
    assert next_due(PostingPlan(), now, [now]) == now
    assert next_due(PostingPlan(spacing_min=20), now, [at("2026-11-22T21:25")]) == at("2026-11-22T21:45")
    plan = PostingPlan(spacing_min=60, quiet=("22:00-06:00",))
    assert next_due(plan, now, [at("2026-11-22T21:25"), at("2026-11-23T06:15")]) == at("2026-11-23T07:15")


def test_a_slot_that_a_jump_of_the_clocks_moved_into_quiet_hours_is_due_at_their_end() -> None:
    plan = PostingPlan(timezone="Europe/Berlin", slots=("02:30",), quiet=("03:00-04:00",))
    assert next_due(plan, at("2026-03-28T22:00"), ()) == at("2026-03-29T02:00")


def test_a_post_is_late_after_its_bound_and_then_the_plan_decides() -> None:
    due = at("2026-11-22T08:00")
    for policy in ("publish", "next_slot", "expire"):
        plan = PostingPlan(slots=("08:00",), missed=policy, missed_after_min=30)
        assert missed(plan, due, due + timedelta(minutes=30)) == "publish"
        assert missed(plan, due, due - timedelta(days=1)) == "publish"
        assert missed(plan, due, due + timedelta(minutes=31)) == policy


def test_a_time_without_zone_is_refused() -> None:
    naive = datetime(2026, 11, 22, 12, 0)  # noqa: DTZ001
    with pytest.raises(ValueError, match="give it in UTC"):
        may_publish_at(PostingPlan(), naive)
    with pytest.raises(ValueError, match="give it in UTC"):
        next_due(PostingPlan(), at("2026-11-22T08:00"), [naive])
