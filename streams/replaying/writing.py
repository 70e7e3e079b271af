"""How chunks of a replay are written: into a target, by batches, their positions told after they are durable."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Generic, Protocol, TypeVar, runtime_checkable

from schemas.records import LogPosition
from streams.engine.batch import Batch, ColumnBatch, FetchedRecord, Slice, TopicPartition, weigh
from streams.engine.decoding import Decoder
from streams.engine.stage import Rejection, Screened
from streams.operations.runs import ToldRun
from streams.replaying.planning import Plan
from streams.replaying.reading import Remark
from streams.replaying.target import KnownRange, Remembers, ReplayTarget, Target

T = TypeVar("T")
CHUNK_RECORDS = 100_000
FIRST_REFUSED = 3  # are told with their reasons


@dataclass(slots=True)
class Prepared(Generic[T]):
    """What of some records is to be written, and how many were read, of no interest to the selection, or refused."""

    items: list[T]
    written: int
    read: int = 0
    skipped: int = 0
    refused: int = 0


@dataclass(slots=True)
class Chunk(Generic[T]):
    """Records that become durable together; `nexts` says where their partitions go on after them."""

    items: list[T] = field(default_factory=list)
    written: int = 0
    read: int = 0
    skipped: int = 0
    refused: int = 0
    size_bytes: int = 0
    nexts: dict[TopicPartition, int] = field(default_factory=dict)

    def add(self, prepared: Prepared[T]) -> None:
        """Take some records more."""
        self.items += prepared.items
        self.written += prepared.written
        self.read += prepared.read
        self.skipped += prepared.skipped
        self.refused += prepared.refused

    def after(self, told: ToldRun) -> dict[str, Any]:
        """Return the fields of the run after this chunk."""
        run = told.run
        return {
            "read": run.read + self.read,
            "written": run.written + self.written,
            "skipped": run.skipped + self.skipped,
            "refused": run.refused + self.refused,
            "positions": moved(run.positions, self.nexts),
        }


def moved(positions: Sequence[LogPosition], nexts: Mapping[TopicPartition, int]) -> tuple[LogPosition, ...]:
    """Return positions that go on where `nexts` says."""
    return tuple(
        replace(each, next=nexts.get(TopicPartition(each.topic, each.partition), each.next)) for each in positions
    )


class Writing(Protocol[T]):
    """What a replay does with the records it reads.

    `chunk_records` is how many become durable together at most. `begin` is called before the first record, and again
    after each failure: what is written from then on follows the positions of `told.run`. `known` are ranges that need
    not be read; `finished` is called when everything of the plan, from the starts of its positions, was written.
    """

    @property
    def chunk_records(self) -> int: ...
    async def begin(self, told: ToldRun) -> None: ...
    async def prepare(self, source: TopicPartition, records: Sequence[FetchedRecord]) -> Prepared[T]: ...
    async def write(self, chunk: Chunk[T], told: ToldRun) -> None: ...
    async def known(self, plan: Plan) -> Sequence[KnownRange]: ...
    async def finished(self, plan: Plan) -> None: ...


@runtime_checkable
class WritesItself(Protocol):
    """A target that makes what writes into it, since it needs more of records or of runs than a store does."""

    def writing(self, decoder: Decoder) -> Writing[Any]: ...


class Decoding:
    """Decode records and screen them: what every `Writing` of batches does before it writes.

    What a schema or the target refuses is counted, and the first of them told: it became a dead letter when it first
    came.
    """

    def __init__(self, decoder: Decoder, remark: Remark = lambda _: None, chunk_records: int = CHUNK_RECORDS) -> None:
        self.chunk_records = chunk_records
        self._decoder = decoder
        self._remark = remark
        self._told = 0

    async def screen(self, batch: Batch) -> Screened:
        """Split a batch into what can be written and what is refused: nothing is."""
        return Screened(batch)

    async def prepare(self, source: TopicPartition, records: Sequence[FetchedRecord]) -> Prepared[Batch]:
        part = Slice(source, records, after=None, size_bytes=weigh(records))
        decoded = await asyncio.to_thread(self._decoder.decode, part)
        prepared = Prepared[Batch]([], 0, refused=len(decoded.rejections))
        self._tell(source, decoded.rejections)
        if decoded.batch is not None:
            screened = await self.screen(decoded.batch)
            prepared.refused += len(screened.rejections)
            self._tell(source, screened.rejections)
            if screened.batch is not None:
                prepared.items.append(screened.batch)
                prepared.written += record_count(screened.batch)
        return prepared

    def _tell(self, source: TopicPartition, rejections: Sequence[Rejection]) -> None:
        for each in rejections[: max(FIRST_REFUSED - self._told, 0)]:
            self._told += 1
            self._remark(f"refused {source.topic}/{source.partition}/{each.offset}: {each.fault}")

    async def known(self, plan: Plan) -> Sequence[KnownRange]:
        """Return that all has to be read."""
        del plan
        return ()

    async def finished(self, plan: Plan) -> None:
        """Do nothing: there is nothing to remember."""


class IntoTarget(Decoding):
    """Write records into a target that is open."""

    def __init__(self, target: ReplayTarget, decoder: Decoder, remark: Remark = lambda _: None) -> None:
        super().__init__(decoder, remark, getattr(target, "chunk_records", CHUNK_RECORDS))
        self._target = target

    async def begin(self, told: ToldRun) -> None:
        del told  # ids make writing again harmless

    async def screen(self, batch: Batch) -> Screened:
        return await self._target.screen(batch)

    async def write(self, chunk: Chunk[Batch], told: ToldRun) -> None:
        """Make the chunk durable, then note how far the run is."""
        if chunk.items:
            await self._target.write(chunk.items)
        await told.progress(**chunk.after(told))

    async def known(self, plan: Plan) -> Sequence[KnownRange]:
        return await self._target.known(plan.positions, plan.topic_ids) if isinstance(self._target, Remembers) else ()

    async def finished(self, plan: Plan) -> None:
        if isinstance(self._target, Remembers):
            await self._target.remember(plan.positions, plan.topic_ids)


def writing_into(target: Target, decoder: Decoder, remark: Remark) -> Writing[Any]:
    """Return what writes into a target that is open."""
    if isinstance(target, WritesItself):
        return target.writing(decoder)
    assert isinstance(target, ReplayTarget), "a target is one or the other"
    return IntoTarget(target, decoder, remark)


def record_count(batch: Batch) -> int:
    """Return the number of records of a batch."""
    return len(batch.frame) if isinstance(batch, ColumnBatch) else len(batch.rows)
