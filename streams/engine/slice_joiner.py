"""The joiner: slices that wait for their turn, those that follow each other put together."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from itertools import chain

from streams.engine.batch import TopicPartition
from streams.engine.slices import Slice


class SliceJoiner:
    """Hand over together what arrived since the last time, so that many small slices cost no more than one.

    Slices of a partition stay in order; `max_records` bounds what becomes of joining them. How much waits is bounded
    by the transport's budget of bytes.
    """

    def __init__(self, max_records: int) -> None:
        self._max_records = max_records
        self._waiting: deque[tuple[Slice, int]] = deque()
        self._arrived = asyncio.Event()

    def put(self, piece: Slice, generation: int) -> None:
        """Add a slice that was fetched in a generation of the group."""
        self._waiting.append((piece, generation))
        self._arrived.set()

    async def take(self) -> tuple[Sequence[Slice], int]:
        """Wait for slices; return those of the oldest generation there is, and the generation."""
        await self._arrived.wait()
        generation, found = self._waiting[0][1], dict[TopicPartition, list[Slice]]()
        while self._waiting and self._waiting[0][1] == generation:
            piece, _ = self._waiting.popleft()
            found.setdefault(piece.source, []).append(piece)
        if not self._waiting:
            self._arrived.clear()
        return [piece for pieces in found.values() for piece in joined(pieces, self._max_records)], generation


def joined(pieces: Sequence[Slice], max_records: int) -> list[Slice]:
    """Return slices of one partition, put together where one follows the other, up to `max_records` each."""
    groups: list[list[Slice]] = []
    for piece in pieces:
        if groups and _fits(groups[-1], piece, max_records):
            groups[-1].append(piece)
        else:
            groups.append([piece])
    return [_one(group) for group in groups]


def _fits(group: Sequence[Slice], piece: Slice, max_records: int) -> bool:
    records = sum(len(each.records) for each in group) + len(piece.records)
    return piece.after == group[-1].last_offset and records <= max_records


def _one(group: Sequence[Slice]) -> Slice:
    if len(group) == 1:
        return group[0]
    records = list(chain.from_iterable(piece.records for piece in group))
    return Slice(group[0].source, records, group[0].after, sum(piece.size_bytes for piece in group))
