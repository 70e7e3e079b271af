from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from agents.personas.posting import PostingPlan

ZONES = ("Europe/Berlin", "Europe/Kyiv", "America/New_York", "America/St_Johns", "Australia/Lord_Howe", "UTC")
CHANGES = {  # nights around which the clocks of these zones change, in the southern or the northern year
    datetime(2026, 3, 8, tzinfo=UTC),
    datetime(2026, 3, 29, tzinfo=UTC),
    datetime(2026, 4, 5, tzinfo=UTC),
    datetime(2026, 10, 4, tzinfo=UTC),
    datetime(2026, 10, 25, tzinfo=UTC),
    datetime(2026, 11, 1, tzinfo=UTC),
}
SLOT_TEXTS = st.times().map(lambda each: f"{each:%H:%M}")
PLANS = st.builds(
    PostingPlan,
    timezone=st.sampled_from(ZONES),
    slots=st.lists(SLOT_TEXTS, min_size=1, max_size=4, unique=True).map(lambda slots: tuple(sorted(slots))),
)
TIMES = st.builds(
    lambda night, minutes: night + timedelta(minutes=minutes),
    st.sampled_from(sorted(CHANGES)),
    st.integers(-2 * 1440, 2 * 1440),
)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def following(plan: PostingPlan, after: datetime) -> datetime:
    found = plan.next_slot(after)
    assert found is not None
    return found


def first_on_the_clock(plan: PostingPlan, start: datetime, end: datetime) -> datetime | None:
    """Watch the wall clock minute by minute; return the first minute before `end` that shows a slot for the first time
    of its day."""
    zone, minute = ZoneInfo(plan.timezone), start + timedelta(minutes=1)
    while minute < end:
        shown = minute.astimezone(zone)
        if f"{shown:%H:%M}" in plan.slots and shown.fold == 0:
            return minute
        minute += timedelta(minutes=1)
    return None


@settings(max_examples=60, deadline=None)
@given(PLANS, TIMES)
def test_the_next_slot_is_later_and_the_clock_shows_none_in_between(plan: PostingPlan, after: datetime) -> None:
    found = following(plan, after)
    assert after < found <= after + timedelta(days=2, hours=2)
    assert first_on_the_clock(plan, after, found) is None
    shown = found.astimezone(ZoneInfo(plan.timezone))
    jump = timedelta(hours=1) if plan.timezone != "Australia/Lord_Howe" else timedelta(minutes=30)
    left_out = shown - jump  # a slot in the hour that the clocks leave out comes that much later
    assert f"{shown:%H:%M}" in plan.slots or f"{left_out:%H:%M}" in plan.slots
    assert shown.fold == 0


@settings(max_examples=30, deadline=None)
@given(PLANS, TIMES)
def test_every_slot_comes_once_a_day_whatever_the_clocks_do(plan: PostingPlan, after: datetime) -> None:
    instants, end = [], after + timedelta(days=4)
    moment = following(plan, after)
    while moment < end:
        instants.append(moment)
        moment = following(plan, moment)
    assert instants == sorted(set(instants))
    zone = ZoneInfo(plan.timezone)
    whole_days = {each.astimezone(zone).date() for each in instants[len(plan.slots) :]}
    for day in sorted(whole_days)[1:-1]:
        count = sum(each.astimezone(zone).date() == day for each in instants)
        assert len(plan.slots) - 1 <= count <= len(plan.slots)  # two slots can meet where the clocks jump


@pytest.mark.parametrize(
    ("slot", "after", "expected"),
    [
        ("02:30", "2026-03-28T12:00", "2026-03-29T01:30"),  # left out in Berlin: comes at 03:30 summer time
        ("02:30", "2026-10-24T12:00", "2026-10-25T00:30"),  # comes twice: the first, in summer time
        ("02:30", "2026-10-25T00:30", "2026-10-26T01:30"),  # the second is none: the next is tomorrow's
        ("12:00", "2026-03-28T11:00", "2026-03-29T10:00"),  # 23 hours later
        ("12:00", "2026-10-24T10:00", "2026-10-25T11:00"),  # 25 hours later
        ("00:00", "2026-06-30T22:00", "2026-07-01T22:00"),
    ],
)
def test_slots_in_berlin_around_the_change_of_the_clocks(slot: str, after: str, expected: str) -> None:
    assert PostingPlan(timezone="Europe/Berlin", slots=(slot,)).next_slot(at(after)) == at(expected)


def test_a_day_that_a_zone_left_out_has_its_slot_a_day_later() -> None:
    plan = PostingPlan(timezone="Pacific/Apia", slots=("10:00",))
    assert following(plan, at("2011-12-29T21:00")).astimezone(ZoneInfo("Pacific/Apia")).date().day == 31


def test_the_next_slot_of_a_plan_without_slots_is_none() -> None:
    assert PostingPlan().next_slot(at("2026-11-22T12:00")) is None


def test_a_time_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="expected a time with a zone"):
        PostingPlan(slots=("08:00",)).next_slot(datetime(2026, 11, 22, 12, 0))  # noqa: DTZ001


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"timezone": "Europe/Kiyv"}, "did you mean Europe/Kyiv"),
        ({"timezone": "Europe"}, "is no time zone"),
        ({"timezone": "../secrets"}, "is no time zone"),
        ({"timezone": ""}, "is no time zone"),
        ({"timezone": 7}, "valid string"),
        ({"slots": ["24:00"]}, "should match pattern"),
        ({"slots": ["8:00"]}, "should match pattern"),
        ({"slots": ["08:00", "08:00"]}, "names 08:00 twice"),
        ({"slots": ["20:00", "08:00"]}, "list the times in order"),
        ({"slots": "08:00"}, "valid tuple"),
        ({"zone": "UTC"}, "not permitted"),
    ],
)
def test_a_plan_that_can_not_be_kept_is_refused(fields: dict[str, object], problem: str) -> None:
    with pytest.raises(ValidationError, match=problem):
        PostingPlan.model_validate(fields)


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"approval": "maybe"}, "'auto', 'approve' or 'hold'"),
        ({"missed": "skip"}, "'publish', 'next_slot' or 'expire'"),
        ({"spacing_min": -1}, "greater than or equal to 0"),
        ({"missed_after_min": 0}, "greater than or equal to 1"),
        ({"quiet": ["22-6"]}, "write it as HH:MM-HH:MM, such as 22:00-06:30"),
        ({"quiet": [22]}, "write it as HH:MM-HH:MM"),
        ({"quiet": ["22:00-22:00"]}, "ends where it begins"),
        ({"quiet": ["22:00-10:00", "09:00-22:00"]}, "leave no minute of the day"),
        ({"slots": ["07:00", "12:00"], "quiet": ["22:00-08:00"]}, r"hold the slot\(s\) 07:00; move"),
        ({"reply_control": "friends"}, "'everyone', 'accounts_you_follow'"),
        ({"topic_tag": "#cats"}, "begins with #; leave it out"),
        ({"topic_tag": ""}, "1 to 50 characters"),
        ({"topic_tag": "x" * 51}, "1 to 50 characters"),
        ({"topic_tag": "two\nlines"}, "1 to 50 characters"),
        ({"topic_tag": "cats & v1.0"}, "holds & and ."),
    ],
)
def test_a_plan_that_can_not_be_followed_is_refused_with_what_to_write(fields: dict[str, object], problem: str) -> None:
    with pytest.raises(ValidationError, match=problem):
        PostingPlan.model_validate(fields)


def test_the_end_of_quiet_hours_is_outside_and_their_beginning_within() -> None:
    plan = PostingPlan(slots=("06:30", "22:29"), quiet=("22:30-06:30",), topic_tag="Katzen und Ziele", spacing_min=5)
    assert plan.quiet_for(at("2026-11-22T22:30")) == timedelta(hours=8)
    assert plan.quiet_for(at("2026-11-22T22:29")) is None
    assert plan.quiet_for(at("2026-11-23T06:29:30")) == timedelta(seconds=30)
