"""Totals and news: in whatever order, however often and however broken off files are imported, counts are in once."""

from __future__ import annotations

import random
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.importing.cells.visible_text import ImportFault
from agents.importing.decisions.known_counts import TOTAL
from tests.support.import_log import ImportLog, Killed, import_steps, mapping, run_import

POSTS = ("p1", "p2", "p3", "p4")
Row = dict[str, str]


def row(post: str, views: int | str, likes: int | str = "", at: str = "2026-01-01") -> Row:
    return {"post": post, "at": at, "seen": str(views), "liked": str(likes)}


def sums(log: ImportLog) -> dict[tuple[str | None, str], int]:
    return {key: count for key, count in log.sums().items() if count}


@dataclass(frozen=True)
class Export:
    """A weekly export: totals of some posts, with the day it was made."""

    week: int
    rows: Sequence[Row]

    @property
    def as_of(self) -> str:
        return (date(2026, 2, 1) + timedelta(weeks=self.week)).isoformat()


@st.composite
def histories(draw: st.DrawFn) -> list[Export]:
    """An account over weeks: totals grow, are corrected downward, and posts come and go from the exports."""
    totals = {post: [0, 0] for post in POSTS}
    exports = []
    for week in range(draw(st.integers(1, 4))):
        for each in totals.values():
            each[:] = [max(0, count + draw(st.integers(-30, 60))) for count in each]
        shown = draw(st.lists(st.sampled_from(POSTS), min_size=1, unique=True))
        exports.append(Export(week, [row(post, totals[post][0], totals[post][1]) for post in shown]))
    return exports


def expected(exports: Sequence[Export]) -> dict[tuple[str | None, str], int]:
    newest: dict[tuple[str | None, str], int] = {}
    for export in sorted(exports, key=lambda each: each.week):
        for each in export.rows:
            newest[each["post"], "view"], newest[each["post"], "like"] = int(each["seen"]), int(each["liked"])
    return {key: count for key, count in newest.items() if count}


Attempt = tuple[int, int | None, int, bool, bool]
"""Which export, the entry at which it is killed, how many of its events came, views alone, in another order."""
ATTEMPTS = st.lists(
    st.tuples(st.integers(0, 3), st.none() | st.integers(0, 3), st.integers(0, 4), st.booleans(), st.booleans()),
    max_size=8,
)


@settings(max_examples=60, deadline=None)
@given(histories(), ATTEMPTS, st.randoms(use_true_random=False))
def test_totals_in_any_order_killed_anywhere_and_repeated_are_the_newest_ones(
    exports: list[Export], attempts: list[Attempt], shuffle: random.Random
) -> None:
    log = ImportLog()
    for number, (chosen, killed_at, sent, views_alone, shuffled) in enumerate(attempts):
        export = exports[chosen % len(exports)]
        fields = ("post_id", "occurred_at", "views") if views_alone else ("post_id", "occurred_at", "views", "likes")
        rows = list(export.rows)
        if shuffled:
            shuffle.shuffle(rows)
        reading = mapping(fields, counts="totals", as_of=export.as_of)
        with suppress(Killed):
            run_import(log, rows, reading, run=str(number), killed_at=killed_at, sent=sent)
    remaining = list(exports)
    shuffle.shuffle(remaining)
    for export in remaining:
        run_import(log, export.rows, mapping(counts="totals", as_of=export.as_of), run=f"last {export.week}")
    assert sums(log) == expected(exports)
    by_time: dict[tuple[str, str, int], int] = {}
    for event in log.distinct():
        place = (event["post_id"], event["kind"], event["occurred_at"])
        by_time[place] = by_time.get(place, 0) + event["count"]
    assert all(count >= 0 for count in by_time.values())


@settings(deadline=None)
@given(histories(), st.integers(0, 2**32))
def test_growing_totals_of_unknown_days_are_the_greatest_in_any_order(exports: list[Export], seed: int) -> None:
    grown: dict[str, list[int]] = {}
    for export in exports:
        for each in export.rows:
            before = grown.get(each["post"], [0, 0])
            after = [max(before[0], int(each["seen"])), max(before[1], int(each["liked"]))]
            each["seen"], each["liked"] = map(str, after)
            grown[each["post"]] = after
    order = list(exports)
    random.Random(seed).shuffle(order)
    log = ImportLog()
    for number, export in enumerate(order):
        run_import(log, export.rows, mapping(counts="totals", falls="keep"), run=str(number))
    assert sums(log) == {
        (post, kind): count
        for post, counts in grown.items()
        for kind, count in zip(("view", "like"), counts, strict=True)
        if count
    }


@settings(max_examples=60, deadline=None)
@given(histories(), histories(), st.lists(st.booleans(), max_size=40))
def test_two_imports_at_once_decide_on_no_count_twice(
    first: list[Export], second: list[Export], turns: list[bool]
) -> None:
    log = ImportLog()
    one, other = first[-1], replace(second[-1], week=9)
    runs = [
        import_steps(log, export.rows, mapping(counts="totals", as_of=export.as_of), run=name, block_rows=1)
        for name, export in (("one", one), ("other", other))
    ]
    for turn in turns:
        entry = next(runs[turn], None)
        if entry is not None:
            log.send(entry)
    for steps in runs:
        for entry in steps:
            log.send(entry)
    log.settle()
    assert sums(log) == expected([one, other])


NEWS = st.lists(
    st.builds(
        row,
        st.sampled_from(POSTS),
        st.integers(1, 50),
        st.integers(0, 50),
        st.sampled_from(["2026-01-01", "2026-01-02", "2026-01-03"]),
    ),
    min_size=1,
    max_size=8,
)


@settings(max_examples=60, deadline=None)
@given(NEWS, st.lists(st.tuples(st.booleans(), st.none() | st.integers(0, 4), st.integers(0, 4)), max_size=5))
def test_news_are_in_once_whatever_is_mapped_and_however_often_it_breaks_off(
    rows: list[Row], attempts: list[tuple[bool, int | None, int]]
) -> None:
    log = ImportLog()
    for number, (views_alone, killed_at, sent) in enumerate([*attempts, (False, None, 0)]):
        fields = ("post_id", "occurred_at", "views") if views_alone else ("post_id", "occurred_at", "views", "likes")
        with suppress(Killed):
            run_import(log, rows, mapping(fields, counts="new"), run=str(number), killed_at=killed_at, sent=sent)
    wanted: dict[tuple[str | None, str], int] = {}
    for each in rows:
        for kind, name in (("view", "seen"), ("like", "liked")):
            wanted[each["post"], kind] = wanted.get((each["post"], kind), 0) + int(each[name])
    assert sums(log) == {key: count for key, count in wanted.items() if count}


def test_overlapping_files_of_news_count_the_overlap_once_and_correct_it() -> None:
    log, reading = ImportLog(), mapping(counts="new")
    run_import(log, [row("p1", 5), row("p1", 7, at="2026-01-02")], reading, run="1")
    run_import(log, [row("p1", 9, at="2026-01-02"), row("p1", 4, at="2026-01-03")], reading, run="2")
    run_import(log, [row("p1", 8, at="2026-01-02")], reading, run="3")
    assert sums(log) == {("p1", "view"): 5 + 8 + 4}
    assert [event["basis"] for event in log.events] == ["event", "event", "correction", "event", "correction"]


def test_a_column_that_is_mapped_later_adds_itself_alone() -> None:
    log, rows = ImportLog(), [row("p1", 5, 2), row("p2", 7, 3)]
    run_import(log, rows, mapping(("post_id", "occurred_at", "views")), run="1")
    run_import(log, rows, mapping(), run="2")
    assert sums(log) == {("p1", "view"): 5, ("p2", "view"): 7, ("p1", "like"): 2, ("p2", "like"): 3}


def test_an_equivalent_time_format_counts_nothing_twice() -> None:
    log, rows = ImportLog(), [row("p1", 5), row("p2", 7)]
    run_import(log, rows, mapping(), run="1")
    run_import(log, rows, replace(mapping(), time_format="%Y-%m-%d"), run="2")
    assert sums(log) == {("p1", "view"): 5, ("p2", "view"): 7}


@pytest.mark.parametrize("at", ["2026-01-01", "2026-01-08"])
def test_a_second_import_of_a_post_is_refused_until_it_is_said_what_its_counts_are(at: str) -> None:
    log = ImportLog()
    run_import(log, [row("p1", 5)], mapping(), run="1")
    with pytest.raises(ImportFault, match="--counts totals or --counts new"):
        run_import(log, [row("p1", 9, at=at)], mapping(), run="2")
    totals, news = ImportLog(list(log.entries), list(log.events)), log
    run_import(totals, [row("p1", 9, at=at)], mapping(counts="totals"), run="3")
    run_import(news, [row("p1", 9, at="2026-01-08")], mapping(counts="new"), run="3")
    assert (sums(totals), sums(news)) == ({("p1", "view"): 9}, {("p1", "view"): 14})


def test_posts_of_another_source_are_others() -> None:
    log = ImportLog()
    run_import(log, [row("p1", 5)], mapping(), run="1")
    run_import(log, [row("p1", 9)], mapping(source="tiktok"), run="2")
    assert sums(log) == {("p1", "view"): 14}


def test_a_fall_of_unknown_order_is_asked_about_and_done_as_said() -> None:
    log = ImportLog()
    run_import(log, [row("p1", 150, 3)], mapping(counts="totals"), run="1")
    older = [row("p1", 100, 3)]
    with pytest.raises(ImportFault, match="--as-of 2026-03-01, or say --falls correct"):
        run_import(log, older, mapping(counts="totals"), run="2")
    assert sums(log) == {("p1", "view"): 150, ("p1", "like"): 3}
    run_import(log, older, mapping(counts="totals", falls="keep"), run="3")
    assert sums(log) == {("p1", "view"): 150, ("p1", "like"): 3}
    run_import(log, older, mapping(counts="totals", falls="correct"), run="4")
    assert sums(log) == {("p1", "view"): 100, ("p1", "like"): 3}


def test_an_export_made_after_the_earlier_import_may_fall() -> None:
    log = ImportLog()
    run_import(log, [row("p1", 150)], mapping(counts="totals"), run="1")
    run_import(log, [row("p1", 100)], mapping(counts="totals", as_of="2026-02-01"), run="2")
    assert sums(log) == {("p1", "view"): 100}


def test_a_correction_is_taken_back_from_the_latest_bookings() -> None:
    log = ImportLog()
    run_import(log, [row("p1", 100), row("p1", 10, at="2026-01-02")], mapping(counts="new"), run="1")
    run_import(log, [row("p1", 60)], mapping(counts="totals", falls="correct"), run="2")
    state = next(known for _, known in log.state().known.items())
    assert sorted((slot.number, value) for slot, value in state.slots.items()) == [(0, 0), (0, 60)]


def test_a_blank_total_takes_nothing_back() -> None:
    log = ImportLog()
    run_import(log, [row("p1", 100, 7)], mapping(counts="totals"), run="1")
    run_import(log, [row("p1", 120, "-")], mapping(counts="totals"), run="2")
    assert sums(log) == {("p1", "view"): 120, ("p1", "like"): 7}


def test_totals_are_booked_at_the_time_of_their_post_and_marked() -> None:
    log = ImportLog()
    run_import(log, [row("p1", 100)], mapping(counts="totals"), run="1")
    run_import(log, [row("p1", 120, at="2026-01-05")], mapping(counts="totals"), run="2")
    assert {event["occurred_at"] for event in log.events} == {1_767_225_600_000}
    assert {event["basis"] for event in log.events} == {"total"}
    assert all(slot.number == TOTAL for _, known in log.state().known.items() for slot in known.slots)


def test_a_count_that_no_record_may_hold_is_left_out_alone() -> None:
    log = ImportLog()
    run_import(log, [row("p1", 10**12 + 1, 4), row("p2", 10**12)], mapping(), run="1")
    assert sums(log) == {("p1", "like"): 4, ("p2", "view"): 10**12}
