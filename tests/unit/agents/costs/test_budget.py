"""What a budget allows: monotone in what is spent, exact at its boundaries, and told once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from agents.costs.budget import (
    EVERYONE,
    FREE,
    KINDS,
    LEAST_HOURS_WITH_SPEND,
    AlertKey,
    BudgetLimits,
    BudgetPolicy,
    BudgetUse,
    Period,
    alerts_due,
    dollars,
    is_spike,
    key_of,
    kind_of,
    levels_reached,
    periods_at,
    resumes_due,
    trailing_mean_micros,
    worst_level,
)
from agents.costs.settings import CostSettings
from schemas.records import BudgetAlert
from streams.settings import Settings

NOW = datetime(2026, 11, 23, 14, 30, tzinfo=UTC)
HOUR, DAY = periods_at(NOW)
POLICY = BudgetPolicy.of(Settings())
AMOUNTS = st.integers(0, 10**15)
LIMITS = st.one_of(st.none(), st.integers(0, 10**12))


def use(spent: int, limit: int | None, period: Period = DAY, persona_id: str = "nova") -> BudgetUse:
    return BudgetUse(persona_id, period, spent, limit)


def test_the_default_levels_are_80_85_and_95_percent() -> None:
    assert (POLICY.warn, POLICY.downgrade, POLICY.pause) == (800_000, 850_000, 950_000)
    assert [kind_of(use(spent, 100), POLICY) for spent in (79, 80, 84, 85, 94, 95, 100, 200)] == [
        "free",
        "warn",
        "warn",
        "downgrade",
        "downgrade",
        "pause",
        "pause",
        "pause",
    ]


@given(AMOUNTS, AMOUNTS, LIMITS)
def test_who_spends_more_is_never_allowed_more(one: int, other: int, limit: int | None) -> None:
    less, more = (KINDS.index(kind_of(use(spent, limit), POLICY)) for spent in sorted((one, other)))
    assert less <= more


@given(AMOUNTS, st.integers(0, 10**12), st.integers(0, 10**12))
def test_a_greater_limit_never_allows_less(spent: int, one: int, other: int) -> None:
    tight, wide = (KINDS.index(kind_of(use(spent, limit), POLICY)) for limit in sorted((one, other)))
    assert wide <= tight


@given(st.integers(1, 10**12), st.integers(1, 10**6))
def test_a_level_holds_from_its_exact_share_on(limit: int, share: int) -> None:
    policy = BudgetPolicy(warn=share, downgrade=10**6 + 1, pause=10**6 + 2)
    exact = Fraction(limit * share, 10**6)
    first = -(-exact.numerator // exact.denominator)  # the least whole amount that is not below the share
    assert levels_reached(first, limit, policy)[:1] == ("warn",)
    assert levels_reached(first - 1, limit, policy) == ()


def test_no_limit_is_always_free_and_a_limit_of_nothing_never() -> None:
    assert kind_of(use(10**15, None), POLICY) == "free"
    assert kind_of(use(0, 0), POLICY) == "pause"


def test_the_worst_budget_counts_and_of_equals_the_one_that_lasts_longest() -> None:
    hour, day = use(96, 100, HOUR), use(97, 100, DAY)
    assert worst_level([use(80, 100, DAY), hour], POLICY).until == HOUR.end
    assert worst_level([day, hour], POLICY).until == DAY.end
    assert worst_level([use(1, 100)], POLICY) == FREE
    assert worst_level([], POLICY) == FREE


def test_a_reason_has_the_figures() -> None:
    level = worst_level([use(4_800_000, 5_000_000)], POLICY)
    assert level.kind == "pause"
    assert level.reason == "nova has spent $4.80 of $5.00 (96 %) in the day 2026-11-23 UTC; pause from 95 %"
    level = worst_level([use(12_345_678, 14_000_000, HOUR, EVERYONE)], POLICY)
    assert level.reason == (
        "all personas together have spent $12.345678 of $14.00 (88 %) in the hour from 14:00 UTC; downgrade from 85 %"
    )


@given(st.integers(0, 10**15))
def test_an_amount_in_words_is_the_amount(micros: int) -> None:
    assert Decimal(dollars(micros).removeprefix("$").replace(",", "")) * 1_000_000 == micros


def test_periods_are_the_clock_hour_and_the_day_in_utc() -> None:
    assert (HOUR.start, HOUR.end) == (NOW.replace(minute=0), NOW.replace(minute=0) + timedelta(hours=1))
    assert (DAY.start, DAY.end) == (NOW.replace(hour=0, minute=0), NOW.replace(day=24, hour=0, minute=0))


def test_each_level_is_told_once_a_period() -> None:
    told = list(alerts_due(use(96, 100), (), POLICY, (), NOW))
    assert [alert.kind for alert in told] == ["warn", "downgrade", "pause"]
    assert list(alerts_due(use(99, 100), (), POLICY, {key_of(each) for each in told}, NOW)) == []
    tomorrow = Period(DAY.end, "day")
    assert len(list(alerts_due(use(99, 100, tomorrow), (), POLICY, {key_of(each) for each in told}, NOW))) == 3


@given(st.lists(st.integers(0, 120), min_size=1, max_size=12))
def test_the_alerts_of_a_period_do_not_depend_on_how_often_one_looks(spent: list[int]) -> None:
    amounts = sorted(spent)
    told: dict[AlertKey, BudgetAlert] = {}
    for amount in amounts:
        told |= {key_of(each): each for each in alerts_due(use(amount, 100), (), POLICY, told, NOW)}
    at_once = list(alerts_due(use(amounts[-1], 100), (), POLICY, (), NOW))
    assert [alert.event_id for alert in told.values()] == [alert.event_id for alert in at_once]


def test_a_pause_is_followed_by_one_resume_when_its_period_is_over() -> None:
    told = list(alerts_due(use(96, 100), (), POLICY, (), NOW))
    assert list(resumes_due(told, DAY.end - timedelta(milliseconds=1))) == []
    (resume,) = resumes_due(told, DAY.end)
    assert (resume.kind, resume.period_start, resume.limit_micros) == ("resume", DAY.start, 100)
    assert list(resumes_due([*told, resume], DAY.end + timedelta(days=1))) == []


DOLLAR = 1_000_000
QUIET = [0] * 20


def test_a_spike_is_three_times_the_mean_of_the_hours_that_cost_something() -> None:
    before = [*QUIET, DOLLAR, 0, 2 * DOLLAR, 3 * DOLLAR]
    assert trailing_mean_micros(before) == 2 * DOLLAR
    assert is_spike(6 * DOLLAR, before, POLICY)
    assert not is_spike(6 * DOLLAR - 1, before, POLICY)


def test_cents_and_first_hours_are_no_spike() -> None:
    assert not is_spike(999_999, [10, 10, 10], POLICY)
    assert is_spike(1_000_000, [10, 10, 10], POLICY)
    assert not is_spike(100 * DOLLAR, [*QUIET, DOLLAR, DOLLAR], POLICY)


@given(AMOUNTS, AMOUNTS, st.lists(st.integers(0, 10**12), max_size=24))
def test_a_spike_is_exact_and_monotone(one: int, other: int, before: list[int]) -> None:
    less, more = sorted((one, other))
    assert is_spike(less, before, POLICY) <= is_spike(more, before, POLICY)
    spent = [amount for amount in before if amount]
    if len(spent) >= LEAST_HOURS_WITH_SPEND and more >= POLICY.spike_least_micros:
        assert is_spike(more, before, POLICY) == (more >= 3 * Fraction(sum(spent), len(spent)))


def test_a_spike_is_told_of_the_hour_only_with_the_mean_it_left() -> None:
    before = [*QUIET, DOLLAR, DOLLAR, DOLLAR]
    (alert,) = alerts_due(use(5 * DOLLAR, None, HOUR), before, POLICY, (), NOW)
    assert (alert.kind, alert.period, alert.limit_micros, alert.spent_micros) == ("spike", "hour", DOLLAR, 5 * DOLLAR)
    assert list(alerts_due(use(5 * DOLLAR, None, DAY), before, POLICY, (), NOW)) == []


def test_limits_and_levels_are_settings_and_levels_must_rise() -> None:
    costs = CostSettings(daily_budget_dollars=Decimal("12.5"), budget_warn=Decimal("0.5"))
    settings = Settings().having(costs)
    assert BudgetLimits.of(settings) == BudgetLimits(None, 12_500_000)
    assert BudgetPolicy.of(settings).warn == 500_000
    with pytest.raises(ValidationError, match="must be above THREADS_BUDGET_DOWNGRADE"):
        CostSettings(budget_pause=Decimal("0.85"))
    with pytest.raises(ValidationError, match="less than or equal to 1"):
        CostSettings(budget_pause=Decimal("1.01"))
