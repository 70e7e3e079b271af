"""A throttled replay is even: no burst at the beginning, none after a pause."""

from __future__ import annotations

from streams.replaying.pace import Pace


class Clock:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_without_a_rate_nothing_waits() -> None:
    pace = Pace(None)
    assert pace.delay_s(10**9) == 0
    assert list(pace.pieces(range(5))) == [range(5)]


def test_records_pass_at_the_rate() -> None:
    clock = Clock()
    pace = Pace(100, clock)
    waited = 0.0
    for _ in range(40):
        delay = pace.delay_s(25)
        clock.now += delay
        waited += delay
    assert waited == 39 * 0.25


def test_a_pause_is_not_caught_up_with_by_more_than_one_piece() -> None:
    clock = Clock()
    pace = Pace(100, clock)
    pace.delay_s(25)
    clock.now += 60
    assert [pace.delay_s(25) for _ in range(3)] == [0, 0, 0.25]


def test_slow_rates_pass_in_small_pieces() -> None:
    assert [len(piece) for piece in Pace(10).pieces(range(5))] == [2, 2, 1]
    assert [len(piece) for piece in Pace(0.5).pieces(range(3))] == [1, 1, 1]
