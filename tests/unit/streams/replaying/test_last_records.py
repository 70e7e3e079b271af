"""The last records over all partitions: by their timestamps, of each partition a whole end."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from streams.engine.batch import TopicPartition
from streams.replaying.last_records import Place, first_of_last

A, B = TopicPartition("a", 0), TopicPartition("a", 1)


def test_the_greatest_timestamps_win() -> None:
    found = {A: [(10, 0), (20, 1), (30, 2)], B: [(15, 7), (25, 8)]}
    assert dict(first_of_last(found, 3)) == {A: 1, B: 8}


def test_a_partition_that_has_none_of_them_is_left_out() -> None:
    assert dict(first_of_last({A: [(10, 0)], B: [(15, 7), (25, 8)]}, 2)) == {B: 7}


def test_more_than_there_are_is_all() -> None:
    assert dict(first_of_last({A: [(10, 3)], B: []}, 9)) == {A: 3}


@given(
    st.dictionaries(
        st.sampled_from([A, B, TopicPartition("b", 0)]),
        st.lists(st.integers(0, 9), max_size=20).map(lambda times: [(time, at) for at, time in enumerate(times)]),
    ),
    st.integers(1, 30),
)
def test_as_many_are_taken_as_are_wanted_or_there(found: dict[TopicPartition, list[Place]], last: int) -> None:
    starts = dict(first_of_last(found, last))
    taken = [place for source, places in found.items() for place in places if place[1] >= starts.get(source, 10**9)]
    assert len(taken) == min(last, sum(map(len, found.values())))
