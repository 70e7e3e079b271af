"""KPIs: histories worth a name, each compared with the reference, and figures that were worked out by hand."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from agents.kpis import fold
from agents.kpis.merge import AT_ONCE, LONGEST_WAIT_MS
from schemas.records import EngagementKind, KpiUpdate
from tests.support.kpis.kpi_histories import (
    Checkpoint,
    Crash,
    Deliver,
    Happening,
    Meet,
    MeetTear,
    Produce,
    ProduceRefused,
    Rebalance,
    SetClock,
    Settle,
)
from tests.support.kpis.kpi_life import START_MS, Life
from tests.support.kpis.kpi_reference import DAY_MS, HOUR_MS, MINUTE_MS, WINDOWS
from tests.support.kpis.kpi_sends import Age, Cost, Engagement, Revenue, Send

VIEW = Send(Engagement("ada", "view", 100))
TO_OTHER = Send(Engagement("ü", "view", 1))  # merged in another partition
SALE = Send(Revenue("ada", "sale", 30_000_000), Age(5 * DAY_MS))


def torn_state(post_id: str, written: int, *, restored_before: bool) -> Iterator[Happening]:
    """Yield a merge's death while it writes its state; the next life reads the same, before or after a flush."""
    yield Produce([Send(Engagement("ada", "view", 60, post_id)), Send(Engagement("ada", "like", 60, post_id))])
    yield from (Deliver(2, due=False), Checkpoint("fold"), Deliver(1, due=False))
    yield from (MeetTear("merge", "state", (written, written), away=False), Checkpoint("merge"))
    if restored_before:
        yield Checkpoint("merge")
    yield Settle(1)


HISTORIES: dict[str, list[Happening]] = {
    "counts_when_the_first_event_of_a_checkpoint_moves_a_later_counter_than_the_last": [
        Produce([Send(Revenue("ada", "subscription_started", 7)), SALE, Send(Cost("ada", None)), Send(Cost("ada", 9))]),
    ],
    "counts_an_event_that_repeats_the_id_of_a_refused_one": [
        ProduceRefused(number=1), Deliver(1, due=True), Crash(0, store_lost=False), Produce([replace(VIEW, number=1)]),
    ],
    "tells_the_projection_again_while_days_go_by": [
        Produce([SALE]), Settle(1), SetClock(2 * HOUR_MS), Settle(1), SetClock(40 * DAY_MS), Settle(1),
    ],
    "projects_revenue_although_a_sale_came_with_the_time_0": [
        Produce([replace(SALE, age=Age(START_MS)), SALE]),
    ],
    "counts_afresh_where_panes_were_that_no_window_needs": [
        Produce([VIEW]), Settle(1), SetClock(40 * DAY_MS), Settle(1), Produce([VIEW]), Settle(1),
        Crash(0, store_lost=True), Crash(1, store_lost=True), Settle(1),
    ],
    "tells_what_lies_in_no_rolling_window_although_a_worker_died_before_it_told": [
        Produce([replace(VIEW, age=Age(40 * DAY_MS))]), Deliver(1, due=False), Checkpoint("fold"),
        Deliver(1, due=False), Meet("merge", "outputs", "before", away=False), Checkpoint("merge"),
    ],
    "counts_what_another_worker_counted_while_the_owner_was_asleep": [
        Rebalance(0, None), Produce([VIEW]), Settle(1), Rebalance(0, asleep=0), Produce([VIEW]), Deliver(1, due=False),
        Checkpoint("fold"), Deliver(1, due=False), Checkpoint("merge"), Rebalance(0, None), Produce([VIEW]),
    ],
    "shows_an_event_of_the_future_once_its_time_has_come": [
        Produce([replace(VIEW, age=Age(-2 * HOUR_MS))]), Settle(1), SetClock(2 * HOUR_MS), Settle(1),
    ],
    "counts_once_what_reached_some_merge_partitions_and_is_told_again_in_other_ranges": [
        Produce([VIEW, TO_OTHER, VIEW, TO_OTHER]), Deliver(4, due=False),
        MeetTear("fold", "outputs", (1, 0), away=False), Checkpoint("fold"),  # the worker dies
        Deliver(2, due=False), Checkpoint("fold"), Produce([VIEW, TO_OTHER]), Deliver(9, due=False), Checkpoint("fold"),
    ],
    "counts_once_what_is_told_again_to_a_merge_that_was_restored_meanwhile": [
        Produce([VIEW]), Deliver(1, due=False), Meet("fold", "outputs", "after", away=False), Checkpoint("fold"),
        Deliver(1, due=False), Checkpoint("merge"), Crash(0, store_lost=True), Crash(1, store_lost=True),
    ],
    "counts_once_what_a_merge_reads_again_whatever_part_of_its_state_was_written": [
        each for written in range(6) for restored_before in (False, True)
        for each in torn_state(f"p{written}{restored_before}", written, restored_before=restored_before)
    ],
    "counts_what_lies_on_the_edge_of_a_window_and_not_what_lies_before": [
        Produce([replace(VIEW, age=Age(ago_ms, pane_ms, beside_ms))]) for beside_ms in (-1, 0, 1)
        for ago_ms, pane_ms in ((59 * MINUTE_MS, MINUTE_MS), (24 * HOUR_MS - MINUTE_MS, MINUTE_MS),
                                (7 * DAY_MS - HOUR_MS, HOUR_MS), (30 * DAY_MS - HOUR_MS, HOUR_MS))
    ],
}  # fmt: skip


@pytest.mark.parametrize("happenings", HISTORIES.values(), ids=HISTORIES.keys())
async def test_the_role(happenings: list[Happening]) -> None:
    await Life(targets=2, horizon=1_000_000).live(happenings)


async def test_what_reached_some_merge_partitions_counts_once_also_where_a_large_range_was_halved() -> None:
    life = Life(targets=2, horizon=0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fold, "MAX_PARTIAL_BYTES", 1)
        torn = MeetTear("fold", "outputs", (2, 0), away=False)
        await life.go_through([Produce([VIEW] * 4), Deliver(4, due=False), torn, Checkpoint("fold")])
    await life.live([Deliver(3, due=False), Checkpoint("fold")])


async def test_windows_slide_on_without_events_and_are_told_again() -> None:
    life = Life(targets=1, horizon=0)
    await life.live([Produce([VIEW])])
    for step_ms, expected in (
        (0, [100, 100, 100, 100, 100]),
        (HOUR_MS, [0, 100, 100, 100, 100]),
        (DAY_MS, [0, 0, 100, 100, 100]),
        (6 * DAY_MS, [0, 0, 0, 100, 100]),
        (23 * DAY_MS, [0, 0, 0, 0, 100]),
    ):
        await life.live([SetClock(step_ms), Settle(1)])
        assert [told(life, window).views for window in WINDOWS] == expected


@pytest.mark.parametrize(
    "then",
    [[SetClock(LONGEST_WAIT_MS)], [Crash(0, store_lost=False), Crash(1, store_lost=True)]],
    ids=["the_wait_is_over", "the_workers_die"],
)
async def test_what_many_personas_were_not_told_yet_is_told_when(then: list[Happening]) -> None:
    life = Life(targets=1, horizon=0)
    views = Produce([Send(Engagement(f"persona {number}", "view", 1)) for number in range(3 * AT_ONCE)])
    await life.live([views])
    assert len(life.group.told()) == 3 * AT_ONCE * len(WINDOWS)
    await life.go_through([views, Deliver(3 * AT_ONCE, due=True), Deliver(3 * AT_ONCE, due=True)])
    assert len(life.group.told()) == 3 * AT_ONCE * len(WINDOWS)
    await life.live(then)


async def test_the_figures_of_a_worked_example_are_those_of_the_readme() -> None:
    life = Life(targets=1, horizon=0)
    counts: list[tuple[EngagementKind, int, str | None]] = [
        ("view", 150, "viral"), ("like", 10, "viral"), ("reply", 6, "viral"), ("view", 250, "not"), ("like", 8, "not"),
        ("follow", 5, "viral"), ("follower_change", -2, None),
    ]  # fmt: skip
    sent = [Send(Engagement("ada", kind, count, post_id)) for kind, count, post_id in counts]
    sent += [Send(Cost("ada", 40_000)), Send(Cost("ada", None)), SALE]
    sent += [Send(Revenue("ada", "subscription_started", 9)), Send(Revenue("ada", "subscription_ended", 2))]
    await life.live([Produce(sent)])
    month, ever = told(life, "30d"), told(life, "lifetime")
    assert month.engagement_rate == 24 / 400
    assert month.cost_per_follow_dollars == pytest.approx(0.008)
    assert month.cost_per_account_growth_dollars is None
    assert month.unpriced_calls == 1
    assert month.revenue_projection_monthly_micros == 30_000_000 * 30 // 5 + 7
    assert ever.viral_posts == 1


def told(life: Life, window: str) -> KpiUpdate:
    return [update for update in life.group.told() if update.window == window][-1]


async def test_panes_that_no_window_needs_leave_the_state() -> None:
    life, of_old = Life(targets=1, horizon=0), Life(targets=1, horizon=0)
    await life.live([Produce([VIEW])])
    before = state_keys(life)
    await life.live([SetClock(40 * DAY_MS), Settle(1)])
    await of_old.live([Produce([replace(VIEW, age=Age(40 * DAY_MS))])])
    assert state_keys(life) == state_keys(of_old) < before


def state_keys(life: Life) -> set[bytes]:
    """Return the keys that the merge's changelog holds, compacted."""
    newest = {key: value for log in life.group.merge.changelog.log.values() for key, value in log}
    return {key for key, value in newest.items() if value is not None}


@pytest.mark.parametrize(("horizon", "views"), [(0, 700), (1, 600), (2, 400), (3, 200), (1_000_000, 100)])
async def test_an_id_counts_again_beyond_the_horizon_of_its_last_place(horizon: int, views: int) -> None:
    life = Life(targets=1, horizon=horizon)
    same = replace(VIEW, number=1)
    gaps = [replace(same, hole=hole) for hole in (0, 0, 1, 1, 2, 2, 3)]  # 1, 2, 2, 3, 3 and 4 offsets apart
    await life.live([Produce(gaps[:3]), Deliver(2, due=True), Crash(0, store_lost=True), Produce(gaps[3:])])
    assert {update.views for update in life.group.told()[-5:]} == {views}
