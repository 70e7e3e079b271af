"""Slices and the fetch budget: nothing is cut away, and memory in flight is bounded."""

from __future__ import annotations

from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from streams.engine.batch import RECORD_OVERHEAD_BYTES, Slice, TopicPartition, cut, weigh
from streams.transport.fetch_budget import FetchBudget

SOURCE = TopicPartition("engagement.events", 0)
OTHER = TopicPartition("engagement.events", 1)


@dataclass(frozen=True)
class Fetched:
    offset: int
    value: bytes | None = b""
    key: bytes | None = None
    timestamp: int = 0
    headers: tuple[tuple[str, bytes | None], ...] = field(default=())


def fetched(sizes: list[int | None]) -> list[Fetched]:
    return [Fetched(3 * number, None if size is None else bytes(size)) for number, size in enumerate(sizes)]


@given(st.lists(st.one_of(st.none(), st.integers(0, 5_000)), min_size=1, max_size=40), st.integers(500, 20_000))
def test_cutting_keeps_every_record_in_order_and_links_the_slices(sizes: list[int | None], max_bytes: int) -> None:
    records = fetched(sizes)
    slices = cut(SOURCE, records, after=None, max_bytes=max_bytes)
    assert [record for part in slices for record in part.records] == records
    assert [part.after for part in slices] == [None, *(part.last_offset for part in slices[:-1])]
    assert all(part.size_bytes <= max_bytes or len(part.records) == 1 for part in slices)
    assert sum(part.size_bytes for part in slices) == weigh(records)


def test_beyond_drops_what_was_folded_already() -> None:
    part = Slice(SOURCE, fetched([10, 10, 10]), None, 0)
    assert part.beyond(-1) is part
    rest = part.beyond(3)
    assert rest is not None
    assert (rest.first_offset, rest.last_offset, rest.size_bytes) == (6, 6, 10 + RECORD_OVERHEAD_BYTES)
    assert part.beyond(6) is None


@given(st.lists(st.integers(0, 50), min_size=1, max_size=6))
def test_the_bounds_of_a_slice_acknowledge_all_of_it(sizes: list[int | None]) -> None:
    records = fetched(sizes)
    part = Slice(SOURCE, records, 1, weigh(records))
    bounds = part.bounds()
    assert (len(bounds.records), bounds.size_bytes) == (2, 0)
    assert (bounds.first_offset, bounds.last_offset) == (part.first_offset, part.last_offset)
    assert bounds.split(part.last_offset + 1) == (bounds, None)


def test_a_full_budget_stops_fetching_until_bytes_are_given_back() -> None:
    budget = FetchBudget(1_000)
    budget.take(SOURCE, 1_000)
    assert budget.fetchable({SOURCE, OTHER}) == set()
    budget.give_back(SOURCE, 600)
    assert budget.fetchable({SOURCE, OTHER}) == {SOURCE, OTHER}


def test_a_partition_over_its_share_leaves_room_for_the_others() -> None:
    budget = FetchBudget(1_000)
    budget.take(SOURCE, 700)
    assert budget.fetchable({SOURCE, OTHER}) == {OTHER}


def test_slices_forgotten_at_a_rebalance_are_not_given_back_twice() -> None:
    budget = FetchBudget(1_000)
    budget.take(SOURCE, 700)
    budget.forget_all()
    budget.take(SOURCE, 100)
    budget.give_back(SOURCE, 700)
    assert budget.in_flight_bytes == 0
