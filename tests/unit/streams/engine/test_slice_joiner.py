"""The joiner: slices that arrive while the loop is busy are handed over together, none lost, none out of order."""

from __future__ import annotations

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from streams.engine.app import SliceJoiner, joined
from streams.engine.batch import Slice, TopicPartition, cut
from tests.support.loop_in_memory import Fetched

FIRST, SECOND = TopicPartition("t", 0), TopicPartition("t", 1)


def piece_at(source: TopicPartition, first: int, count: int = 1, after: int | None = None) -> Slice:
    (found,) = cut(source, [Fetched(offset, b"value") for offset in range(first, first + count)], after, 2**30)
    return found


async def test_what_arrived_since_the_last_time_comes_together_by_partition() -> None:
    joiner = SliceJoiner(max_records=100)
    first, second = piece_at(FIRST, 0), piece_at(FIRST, 1, after=0)
    other = piece_at(SECOND, 5)
    for each in (first, other, second):
        joiner.put(each, 1)
    pieces, generation = await joiner.take()
    assert generation == 1
    assert [(each.source, each.first_offset, each.last_offset) for each in pieces] == [(FIRST, 0, 1), (SECOND, 5, 5)]
    assert pieces[0].size_bytes == first.size_bytes + second.size_bytes
    assert pieces[1] is other


async def test_slices_of_different_generations_never_come_together() -> None:
    joiner = SliceJoiner(max_records=100)
    joiner.put(piece_at(FIRST, 0), 1)
    joiner.put(piece_at(FIRST, 1, after=0), 2)
    assert [generation for _, generation in (await joiner.take(), await joiner.take())] == [1, 2]


async def test_who_takes_waits_until_something_arrives() -> None:
    joiner = SliceJoiner(max_records=100)
    taking = asyncio.create_task(joiner.take())
    await asyncio.sleep(0)
    assert not taking.done()
    joiner.put(piece_at(FIRST, 0), 1)
    async with asyncio.timeout(5):
        assert (await taking)[1] == 1


@given(st.lists(st.tuples(st.integers(1, 9), st.booleans()), min_size=1, max_size=12), st.integers(1, 20))
def test_joining_loses_nothing_bridges_no_gap_and_keeps_to_the_bound(sizes: list[tuple[int, bool]], most: int) -> None:
    pieces: list[Slice] = []
    offset, after = 0, None
    for count, is_gap in sizes:
        pieces.append(piece_at(FIRST, offset, count, after=after if not is_gap else offset - 2))
        after = offset + count - 1
        offset += count
    found = joined(pieces, most)
    assert [each.offset for piece in found for each in piece.records] == list(range(offset))
    assert sum(piece.size_bytes for piece in found) == sum(piece.size_bytes for piece in pieces)
    assert all(len(piece.records) <= most or any(piece is each for each in pieces) for piece in found)
    begins = {(piece.first_offset, piece.after) for piece in found}
    assert begins <= {(piece.first_offset, piece.after) for piece in pieces}
    assert {piece.first_offset for piece, (_, is_gap) in zip(pieces, sizes, strict=True) if is_gap} <= {
        first for first, _ in begins
    } | {0}
