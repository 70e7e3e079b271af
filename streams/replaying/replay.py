"""A replay: read a plan, write it chunk by chunk while the next is read, and go on after what was away is back."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncGenerator, Callable, Collection, Mapping, Sequence
from contextlib import aclosing
from typing import Generic, TypeVar

from schemas.records import OperationRun
from streams.engine.batch import FetchedRecord, TopicPartition, weigh
from streams.engine.retry import Backoff
from streams.errors import Unavailable
from streams.kafka.cluster import Cluster
from streams.operations.runs import ToldRun
from streams.replaying.ahead import ahead
from streams.replaying.known_ranges import past, up_to
from streams.replaying.pace import Pace
from streams.replaying.planning import Plan
from streams.replaying.reading import Remark, read_plan
from streams.replaying.writing import Chunk, Prepared, Writing

T = TypeVar("T")
PATIENCE = 2.0  # times the io time-out: how long a target may be away before a run is given up
Progress = Callable[[OperationRun], object]
"""Is told the run whenever it got on."""


class Replay(Generic[T]):
    """Read the positions of a run to their ends, and write what has one of `keys`, or everything where there are none.

    The group of no consumer is touched, and none is joined: how far it is stands in the run.
    """

    def __init__(
        self,
        cluster: Cluster,
        writing: Writing[T],
        *,
        keys: Collection[str] = (),
        rate: float | None = None,
        remark: Remark = lambda _: None,
        on_progress: Progress = lambda _: None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._cluster = cluster
        self._writing = writing
        self._keys = {key.encode() for key in keys}
        self._pace = Pace(rate, monotonic)
        self._remark = remark
        self._on_progress = on_progress
        self._monotonic = monotonic
        self._patience_s = PATIENCE * cluster.settings.io_timeout_s

    async def run(self, told: ToldRun, topic_ids: Mapping[str, str | None]) -> None:
        """Do it, from where the run is; what is away is tried again, until that took too long without any progress.

        Raises:
            BadSelection: a topic was made again, or is gone.
            Unavailable: the log or the target is away; the run can be gone on with.
        """
        failures, failed_at, backoff = 0, self._monotonic(), Backoff(max_s=5.0)
        while True:
            before = told.run.positions
            try:
                await self._writing.begin(told)
                await self._once(told, topic_ids)
            except Unavailable as error:
                if failures == 0 or told.run.positions != before:
                    failures, failed_at = 0, self._monotonic()
                    self._remark(f"waiting up to {self._patience_s:g} s: {error}")
                failures += 1
                if self._monotonic() - failed_at >= self._patience_s:
                    raise
                await asyncio.sleep(backoff.delay_s(failures, error.retry_after_s, random.random()))  # noqa: S311
            else:
                return

    async def _once(self, told: ToldRun, topic_ids: Mapping[str, str | None]) -> None:
        """Read what is not known to be there, from gap to gap."""
        known = await self._writing.known(Plan(told.run.positions, topic_ids))
        while True:
            beyond = past(told.run.positions, known)
            skipped = sum(each.next for each in beyond) - sum(each.next for each in told.run.positions)
            await told.progress(positions=beyond, skipped=told.run.skipped + skipped)
            self._on_progress(told.run)
            if all(each.next >= each.end for each in beyond):
                break
            await self._read(Plan(up_to(beyond, known), topic_ids), told)
        if not self._keys and not told.run.refused:  # else it was not given everything
            await self._writing.finished(Plan(told.run.positions, topic_ids))

    async def _read(self, plan: Plan, told: ToldRun) -> None:
        chunks = ahead(self._chunks(plan))
        async with aclosing(chunks):
            async for chunk in chunks:
                await self._writing.write(chunk, told)
                self._on_progress(told.run)

    async def _chunks(self, plan: Plan) -> AsyncGenerator[Chunk[T], None]:
        chunk, most = Chunk[T](), self._pace.piece or self._writing.chunk_records
        limit = self._cluster.settings.checkpoint_max_bytes
        async with aclosing(read_plan(self._cluster, plan, self._remark)) as blocks:
            async for block in blocks:
                for records in self._pace.pieces(block.records):
                    await self._pace.let_pass(len(records))
                    chunk.add(await self._prepared(block.source, records))
                    chunk.size_bytes += weigh(records)
                    chunk.nexts[block.source] = records[-1].offset + 1
                    if chunk.read >= min(most, self._writing.chunk_records) or chunk.size_bytes >= limit:
                        yield chunk
                        chunk = Chunk[T]()
        ends = {TopicPartition(each.topic, each.partition): each.end for each in plan.positions}
        chunk.nexts |= ends  # compaction and transactions leave offsets without a record, also last
        yield chunk

    async def _prepared(self, source: TopicPartition, records: Sequence[FetchedRecord]) -> Prepared[T]:
        wanted = [each for each in records if each.key in self._keys] if self._keys else records
        prepared = await self._writing.prepare(source, wanted) if wanted else Prepared[T]([], 0)
        prepared.read, prepared.skipped = len(records), len(records) - len(wanted)
        return prepared
