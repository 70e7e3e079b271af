from __future__ import annotations

from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from agents.llm.model_breaker import PROBE_UNDER_WAY_S, BreakerLimits, BreakerReading, ModelBreaker, Permit
from streams.engine.retry import Backoff

LIMITS = BreakerLimits(failures_to_open=3, cool_down=Backoff(first_s=2.0, max_s=16.0))


@dataclass(slots=True)
class Clock:
    now: float = 100.0

    def __call__(self) -> float:
        return self.now


def breaker_at(clock: Clock, changes: list[BreakerReading] | None = None) -> ModelBreaker:
    on_change = None if changes is None else changes.append
    return ModelBreaker("gpt-4.1", LIMITS, clock=clock, draw=lambda: 1.0, on_change=on_change)


def entered(breaker: ModelBreaker) -> Permit:
    permit = breaker.enter()
    assert permit is not None
    return permit


def opened(clock: Clock, changes: list[BreakerReading] | None = None) -> ModelBreaker:
    breaker = breaker_at(clock, changes)
    for _ in range(3):
        breaker.failed(entered(breaker))
    return breaker


def test_failures_in_a_row_open_the_breaker_and_an_answer_between_them_does_not() -> None:
    breaker = breaker_at(Clock())
    for _ in range(2):
        breaker.failed(entered(breaker))
    breaker.succeeded(entered(breaker))
    for _ in range(2):
        breaker.failed(entered(breaker))
    assert breaker.reading() == BreakerReading("gpt-4.1", "closed", 2, None)
    breaker.failed(entered(breaker))
    assert breaker.reading() == BreakerReading("gpt-4.1", "open", 3, 100.0)
    assert breaker.enter() is None
    assert breaker.wait_s() == 2.0


def test_after_the_cool_down_one_probe_goes_through_and_its_answer_closes_the_breaker() -> None:
    clock = Clock()
    breaker = opened(clock)
    clock.now += 2.0
    probe = entered(breaker)
    assert breaker.reading().state == "half-open"
    assert breaker.enter() is None
    assert breaker.wait_s() == PROBE_UNDER_WAY_S
    breaker.succeeded(probe)
    assert breaker.reading() == BreakerReading("gpt-4.1", "closed", 0, None)


def test_each_failed_probe_makes_the_cool_down_longer_up_to_its_bound() -> None:
    clock = Clock()
    breaker = opened(clock)
    waits = []
    for _ in range(5):
        waits.append(breaker.wait_s())
        clock.now += breaker.wait_s()
        breaker.failed(entered(breaker))
    assert waits == [2.0, 4.0, 8.0, 16.0, 16.0]


def test_a_cancelled_probe_leaves_the_way_free_for_the_next() -> None:
    clock = Clock()
    breaker = opened(clock)
    clock.now += 2.0
    breaker.abandoned(entered(breaker))
    assert breaker.wait_s() == 0.0
    breaker.succeeded(entered(breaker))
    assert breaker.reading().state == "closed"


def test_a_model_that_asks_to_be_left_alone_is_left_alone_for_so_long() -> None:
    clock = Clock()
    breaker = breaker_at(clock)
    early, late = entered(breaker), entered(breaker)
    breaker.failed(early, away_s=30.0)
    assert breaker.wait_s() == 30.0
    clock.now += 10.0
    breaker.failed(late, away_s=50.0)
    assert breaker.wait_s() == 50.0


def test_outcomes_of_calls_from_before_the_opening_change_nothing() -> None:
    clock = Clock()
    breaker = breaker_at(clock)
    stale = entered(breaker)
    for _ in range(3):
        breaker.failed(entered(breaker))
    breaker.succeeded(stale)
    assert breaker.reading().state == "open"
    clock.now += 2.0
    probe = entered(breaker)
    breaker.abandoned(stale)
    assert breaker.enter() is None
    breaker.succeeded(probe)
    assert breaker.reading().state == "closed"


def test_every_change_is_told() -> None:
    clock, changes = Clock(), list[BreakerReading]()
    breaker = opened(clock, changes)
    clock.now += 2.0
    breaker.succeeded(entered(breaker))
    assert [each.state for each in changes] == ["open", "half-open", "closed"]


@given(
    st.lists(st.tuples(st.sampled_from(["enter", "succeed", "fail", "abandon"]), st.floats(0, 20), st.integers(0, 9)))
)
def test_any_history_lets_at_most_one_probe_out_and_no_call_through_an_open_breaker(
    steps: list[tuple[str, float, int]],
) -> None:
    clock = Clock()
    breaker = breaker_at(clock)
    out: list[Permit] = []
    probe: Permit | None = None
    for action, passed, which in steps:
        clock.now += passed
        if action == "enter":
            before, wait = breaker.reading().state, breaker.wait_s()
            permit = breaker.enter()
            assert (permit is None) == (wait > 0)
            if permit is not None:
                out.append(permit)
                if before == "open":
                    assert probe is None
                    probe = permit
        elif out:
            permit = out.pop(which % len(out))
            {"succeed": breaker.succeeded, "fail": breaker.failed, "abandon": breaker.abandoned}[action](permit)
            probe = None if permit is probe else probe
        assert (breaker.reading().state == "half-open") == (probe is not None)
