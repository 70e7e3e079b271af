"""Checkpoints are due by time, records or bytes, at a bounded share of the time; the surroundings are waited out."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.engine.batch import Slice, TopicPartition
from streams.engine.checkpoint import CheckpointClock, CheckpointLimits
from streams.engine.retry import Backoff, CircuitBreaker
from streams.errors import Unavailable
from tests.support.loop_in_memory import Fetched

LIMITS = CheckpointLimits(interval_s=0.1, max_interval_s=2.0, share=0.1, max_records=100, max_bytes=1_000)


def test_the_first_slice_after_a_pause_is_made_durable_at_once() -> None:
    clock = CheckpointClock(LIMITS)
    clock.finished(0.0, 0.001)
    assert not clock.due(0.05)
    assert clock.due(0.2)


def part(records: int = 1, size_bytes: int = 0, partition: int = 0) -> Slice:
    fetched = [Fetched(offset, b"") for offset in range(records)]
    return Slice(TopicPartition("events", partition), fetched, None, size_bytes)


@pytest.mark.parametrize(("records", "size_bytes"), [(100, 0), (1, 1_000)])
def test_many_records_or_bytes_make_a_checkpoint_due_before_its_time(records: int, size_bytes: int) -> None:
    clock = CheckpointClock(LIMITS)
    clock.finished(0.0, 0.001)
    clock.folded(part(records, size_bytes), behind=0, age_s=2.0)
    assert clock.due(0.002)
    clock.finished(0.002, 0.003)
    assert not clock.due(0.004)


@given(st.floats(0, 10))
def test_slow_checkpoints_stretch_the_interval_within_its_bounds_while_more_waits(duration_s: float) -> None:
    clock = CheckpointClock(LIMITS)
    clock.finished(0.0, duration_s)
    clock.folded(part(), behind=1, age_s=2.0)
    clock.folded(part(partition=1), behind=0, age_s=2.0)
    assert clock.interval_s == min(max(duration_s / 0.1, 0.1), 2.0)


def test_the_interval_is_short_while_what_comes_is_fresh_although_a_little_always_waits() -> None:
    clock = CheckpointClock(LIMITS)
    clock.finished(0.0, 1.0)
    clock.folded(part(), behind=3, age_s=0.2)
    assert clock.interval_s == 0.1
    clock.folded(part(), behind=3, age_s=1.5)
    assert clock.interval_s == 2.0


def test_the_interval_is_short_once_nothing_waits() -> None:
    clock = CheckpointClock(LIMITS)
    clock.finished(0.0, 1.0)
    clock.folded(part(), behind=1, age_s=2.0)
    assert clock.interval_s == 2.0
    clock.folded(part(), behind=0, age_s=2.0)
    assert clock.interval_s == 0.1


@given(st.integers(1, 500), st.floats(0, 1), st.one_of(st.none(), st.floats(0, 100)))
def test_delays_grow_to_a_bound_and_honour_what_the_server_asks(
    failures: int, draw: float, asked: float | None
) -> None:
    delay = Backoff(first_s=0.1, max_s=15).delay_s(failures, asked, draw)
    assert delay >= (asked or 0.0)
    assert min(0.1 * 2.0 ** min(failures - 1, 30), 15) / 2 <= delay <= max(15, asked or 0.0)


async def test_the_breaker_repeats_until_the_surroundings_answer_and_shows_its_state() -> None:
    breaker = CircuitBreaker("a server", Backoff(first_s=0.001, max_s=0.002))
    states: list[str] = []

    async def third_time() -> int:
        states.append(breaker.state)
        if len(states) < 3:
            raise Unavailable("away")
        return 7

    assert await breaker.until_available(third_time) == 7
    assert states == ["closed", "half-open", "half-open"]
    assert (breaker.state, breaker.failures) == ("closed", 0)


async def test_other_errors_pass_the_breaker_at_once() -> None:
    async def broken() -> None:
        raise ValueError("a defect")

    with pytest.raises(ValueError, match="a defect"):
        await asyncio.wait_for(CircuitBreaker("x").until_available(broken), timeout=1)
