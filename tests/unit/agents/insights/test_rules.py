"""Follows are allocated by a rule, links told apart by post, calls bounded, and faults close an account's gate."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

from hypothesis import given
from hypothesis import strategies as st

from agents.insights.allocation import allocated
from agents.insights.budget import CallBudget, calls_a_day
from agents.insights.gate import AccountGate, Patience
from agents.insights.links import MARK_CHARS, mark_in, mark_of, tracked
from agents.insights.settings import InsightsSettings

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)


@given(st.integers(-100, 10_000), st.dictionaries(st.text("abc", max_size=3), st.integers(-5, 1_000), max_size=30))
def test_what_is_allocated_is_the_growth_split_by_views(delta: int, gained: dict[str, int]) -> None:
    split = allocated(delta, gained)
    whole = sum(views for views in gained.values() if views > 0)
    assert all(count > 0 for count in split.values())
    assert sum(split.values()) == (delta if delta > 0 and whole else 0)
    for post, count in split.items():
        assert abs(count - delta * gained[post] / whole) < 1 + 1e-9


def test_of_equal_remainders_the_post_with_more_views_comes_first() -> None:
    assert allocated(1, {"a": 1, "b": 2}) == {"b": 1}
    assert allocated(1, {"b": 2, "a": 2}) == {"a": 1}
    assert allocated(-3, {"a": 2}) == {}
    assert allocated(3, {"a": 0}) == {}


def test_a_tracked_link_bears_the_mark_of_its_publication_and_stays_what_it_was() -> None:
    url = "https://shop.example/a%20b?x=1&utm_content=old&y=%C3%A4#part"
    marked = tracked(url, "p-1")
    assert marked == f"https://shop.example/a%20b?x=1&y=%C3%A4&utm_content={mark_of('p-1')}#part"
    assert mark_in(marked) == mark_of("p-1")
    assert mark_in("https://shop.example/") is None
    assert tracked("mailto:a@b.example", "p-1") == "mailto:a@b.example"
    assert tracked("http://[", "p-1") == "http://["


@given(st.text(max_size=40), st.uuids().map(str))
def test_no_address_ends_in_an_error_and_marking_twice_is_marking_once(text: str, publication_id: str) -> None:
    marked = tracked(text, publication_id)
    assert tracked(marked, publication_id) == marked
    mark_in(text)
    good = tracked(f"https://a.example/{urlsplit('').path}", publication_id)
    assert mark_in(good) == mark_of(publication_id)
    assert len(mark_of(publication_id)) == MARK_CHARS


def test_an_account_has_forty_eight_thousand_calls_a_day_at_least() -> None:
    assert calls_a_day(0) == calls_a_day(10) == 48_000
    assert calls_a_day(1_000) == 4_800_000


@given(st.lists(st.floats(-10, 7_200), max_size=300))
def test_no_day_has_more_calls_than_the_budget_and_an_hours_burst(steps: list[float]) -> None:
    budget, now, taken = CallBudget(1.0, NOW), NOW, 0
    for step in steps:
        now += timedelta(seconds=step)
        if now - NOW >= timedelta(days=1):
            break
        while taken < 60_000 and budget.take(now, 100) is None:
            taken += 100
    back_s = sum(-step for step in steps if step < 0)  # a clock that goes back and forth lets a little flow in twice
    assert taken <= 48_000 * (25 / 24 + back_s / 86_400) + 1


def test_a_budget_says_when_there_are_calls_again_and_grows_with_views() -> None:
    budget = CallBudget(0.5, NOW)
    assert budget.left == 1_000
    assert budget.take(NOW, 1_000) is None
    at = budget.take(NOW)
    assert at is not None
    assert budget.take(at) is None
    budget.saw(1_000, NOW)
    assert budget.take(NOW + timedelta(hours=2), 100_000) is None


def gate() -> AccountGate:
    return AccountGate("account", Patience.of(InsightsSettings()), lambda: 0.5)


def test_faults_close_the_gate_for_longer_and_longer_and_one_probe_opens_it() -> None:
    made, now = gate(), NOW
    waits: list[float] = []
    for _ in range(4):
        assert made.enter(now, None) is None
        first = made.enter(now, None) if waits else None
        made.failed(now, "away")
        until = made.enter(now, None)
        assert until is not None
        assert first is None or first > now
        waits.append((until - now).total_seconds())
        now = until
    assert waits == sorted(waits)
    assert waits[-1] > 3 * waits[0]
    assert made.enter(now, None) is None
    made.succeeded()
    assert made.enter(now, None) is None
    assert made.enter(now, None) is None


def test_calls_that_fail_together_are_one_failure() -> None:
    made = gate()
    assert made.enter(NOW, None) is None
    assert made.enter(NOW, None) is None
    made.failed(NOW, "away")
    first = made.enter(NOW, None)
    made.failed(NOW, "away")
    assert made.enter(NOW, None) == first


def test_the_wait_that_the_platform_asks_for_is_kept_to() -> None:
    made = gate()
    assert made.enter(NOW, None) is None
    made.failed(NOW, "throttled", 90)
    assert made.enter(NOW + timedelta(seconds=89), None) is not None
    assert made.enter(NOW + timedelta(seconds=91), None) is None


def test_a_refused_account_is_paused_until_it_is_changed_or_the_pause_is_over() -> None:
    made = gate()
    assert made.enter(NOW, "v1") is None
    made.refused(NOW, "token_rejected", "the token is revoked", "v1")
    assert made.reason == "token_rejected"
    assert made.enter(NOW + timedelta(seconds=60), "v1") is not None
    assert made.enter(NOW + timedelta(seconds=60), "v2") is None
    made.succeeded()
    assert made.reason is None
    made.refused(NOW, "restricted", "the account is restricted", "v2")
    assert made.enter(NOW + timedelta(seconds=900), "v2") is None
