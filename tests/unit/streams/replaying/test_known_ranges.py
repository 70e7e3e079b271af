"""Positions step over ranges that a target has, and reading ends where the next begins."""

from __future__ import annotations

from streams.engine.batch import TopicPartition
from streams.replaying.known_ranges import past, up_to
from streams.replaying.planning import position
from streams.replaying.target import KnownRange

SOURCE, OTHER = TopicPartition("a", 0), TopicPartition("a", 1)


def known(*ranges: tuple[int, int]) -> list[KnownRange]:
    return [KnownRange(SOURCE, start, end) for start, end in ranges]


def test_neighbours_are_stepped_over_together_up_to_the_end() -> None:
    [moved, other] = past([position(SOURCE, 10, 35), position(OTHER, 10, 35)], known((20, 30), (10, 20), (30, 40)))
    assert (moved.start, moved.next, moved.end) == (10, 35, 35)
    assert other.next == 10


def test_a_gap_is_read() -> None:
    positions = past([position(SOURCE, 0, 100)], known((0, 10), (20, 30), (40, 50)))
    assert [each.next for each in positions] == [10]
    assert [each.end for each in up_to(positions, known((0, 10), (20, 30), (40, 50)))] == [20]


def test_a_range_that_began_before_is_stepped_over_too() -> None:
    assert [each.next for each in past([position(SOURCE, 15, 100)], known((10, 20)))] == [20]


def test_without_known_ranges_nothing_changes() -> None:
    positions = (position(SOURCE, 0, 100),)
    assert past(positions, []) == positions
    assert up_to(positions, []) == positions
