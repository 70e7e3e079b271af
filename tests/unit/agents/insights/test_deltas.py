"""From lifetime totals to events: what is unknown adds nothing, what falls is corrected, and sums are the totals."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from agents.insights.deltas import KINDS, LATE, Moments, deltas, known_after, told_by
from agents.platforms.contract import PostInsights
from schemas.engagement import COUNTER_OF
from schemas.records import EngagementKind

PUBLISHED = datetime(2026, 11, 27, 9, 30, tzinfo=UTC)
TOTAL = st.none() | st.integers(0, 50)
INSIGHTS = st.builds(PostInsights, views=TOTAL, likes=TOTAL, replies=TOTAL, reposts=TOTAL, quotes=TOTAL, shares=TOTAL)


@given(st.lists(INSIGHTS, max_size=20), st.floats(1, 100_000))
def test_the_sum_of_the_deltas_is_the_last_total_that_was_told(snapshots: list[PostInsights], step_s: float) -> None:
    known: dict[EngagementKind, int] = {}
    sums = dict.fromkeys(KINDS, 0)
    naive = dict.fromkeys(KINDS, 0)
    before = None
    for number, snapshot in enumerate(snapshots, start=1):
        now = PUBLISHED + timedelta(seconds=step_s * number)
        told = told_by(snapshot)
        for delta in deltas(known, told, Moments(PUBLISHED, before, now)):
            sums[delta.kind] += delta.count
            assert delta.count != 0
            assert (delta.basis == "correction") == (delta.count < 0)
            assert delta.basis != "event" or delta.at == now
        known, before = known_after(known, told), now
        for kind in KINDS:
            total = getattr(snapshot, COUNTER_OF[kind])
            naive[kind] = naive[kind] if total is None else total
    assert sums == naive
    assert {**dict.fromkeys(KINDS, 0), **known} == naive


def test_a_missing_metric_is_unknown_and_not_zero() -> None:
    now = PUBLISHED + timedelta(minutes=2)
    made = deltas({"view": 9, "like": 4}, told_by(PostInsights(views=10)), Moments(PUBLISHED, PUBLISHED, now))
    assert [(each.kind, each.count) for each in made] == [("view", 1)]
    assert known_after({"like": 4}, told_by(PostInsights(likes=None)))["like"] == 4


def test_a_total_first_told_late_is_a_total_at_the_time_of_its_post() -> None:
    late = PUBLISHED + LATE + timedelta(seconds=1)
    (first,) = deltas({}, told_by(PostInsights(views=70)), Moments(PUBLISHED, None, late))
    assert (first.basis, first.at, first.count) == ("total", PUBLISHED, 70)
    (more,) = deltas({"view": 70}, told_by(PostInsights(views=71)), Moments(PUBLISHED, late, late + LATE))
    assert (more.basis, more.at, more.count) == ("event", late + LATE, 1)


def test_a_fall_is_a_correction_of_the_snapshot_before() -> None:
    before, now = PUBLISHED + timedelta(minutes=10), PUBLISHED + timedelta(minutes=20)
    (fall,) = deltas({"like": 5}, told_by(PostInsights(likes=3)), Moments(PUBLISHED, before, now))
    assert (fall.basis, fall.at, fall.count) == ("correction", before, -2)


def test_numbers_that_cannot_be_are_unknown() -> None:
    assert told_by(PostInsights(views=-1, likes=10**12 + 1, replies=10**12)) == {
        "view": None, "like": None, "reply": 10**12, "repost": None, "quote": None, "share": None,
    }  # fmt: skip
