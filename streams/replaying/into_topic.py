"""Records copied into another topic as they are, each once: in one transaction with how far the run is.

A replay that is killed leaves the records of a chunk and the step that counts them, or neither. There is one writer of
a topic's copies at a time: the broker fences one that was thought dead.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from types import TracebackType
from typing import Self

from schemas.catalogue import topic_named
from schemas.codec.rows import RowCodec
from schemas.codec.wire_format import schema_id_of
from schemas.errors import DecodeFault, RegistryUnavailable, SchemaError
from schemas.records import Header, OperationRun
from schemas.registries.registry import SchemaRegistry
from streams.engine.batch import FetchedRecord, TopicPartition
from streams.engine.stage import Output, OutputColumns
from streams.errors import RecordFault, ThreadsError, Unavailable
from streams.kafka.cluster import Cluster
from streams.kafka.producer import any_partition, partition_of
from streams.kafka.record_bytes import name_text
from streams.kafka.transactions import RawRecord, TransactionalWriter
from streams.operations.runs import TOPIC as RUNS
from streams.operations.runs import ToldRun, read_runs
from streams.replaying.planning import Plan
from streams.replaying.target import KnownRange
from streams.replaying.target_topic import TargetTopic
from streams.replaying.writing import Chunk, Prepared
from streams.validation import schema_faults

REPLAY_OF = "replay-of"
REPLAY_RUN = "replay-run"
COPIES_TOGETHER = 2_000  # a transaction of them takes well under its time-out


class IntoTopic:
    """Copy key, value, headers and time of records, and say of each in two headers more what it is a copy of.

    Used as an async context; also what the steps of its run are appended by, so that a fenced process tells nothing.
    """

    chunk_records = COPIES_TOGETHER

    def __init__(self, cluster: Cluster, registry: SchemaRegistry, target: TargetTopic, run_id: str) -> None:
        self._cluster = cluster
        self._registry = registry
        self._codec = RowCodec(registry)
        self._target = target
        self._run_header = Header(name=REPLAY_RUN, value=run_id.encode())
        self._writer: TransactionalWriter | None = None
        self._fits: dict[int | None, bool] = {}

    async def __aenter__(self) -> Self:
        await self._take_over()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._let_go()

    async def begin(self, told: ToldRun) -> None:
        """End what may be open, and go on from the step that the log has: one may have come that was not confirmed."""
        await self._take_over()
        found = (await read_runs(self._cluster)).get(told.run.run_id)
        if found is not None:
            await told.take_over(found)

    async def append_all(self, outputs: Iterable[Output | OutputColumns]) -> None:
        """Append steps of the run in a transaction of their own; raises as `TransactionalWriter` does."""
        steps = [each.record for each in outputs if isinstance(each, Output)]
        writer = self._opened()
        async with writer.transaction():
            await writer.write([self._step(each) for each in steps if isinstance(each, OperationRun)])

    async def prepare(self, source: TopicPartition, records: Sequence[FetchedRecord]) -> Prepared[RawRecord]:
        """Make the copies of records; one whose schema the target topic does not have is refused."""
        await self._learn(records)
        copies = [self._copy(source, each) for each in records if self._fits[_schema_id(each.value)]]
        return Prepared(copies, len(copies), refused=len(records) - len(copies))

    async def write(self, chunk: Chunk[RawRecord], told: ToldRun) -> None:
        """Write the copies and the step that counts them, all or none."""
        writer = self._opened()
        try:
            async with told.step(**chunk.after(told)) as run, writer.transaction():
                await writer.write([*chunk.items, self._step(run)])
        except RecordFault as fault:
            raise ThreadsError(f"{self._target.name} does not take a record of the replay: {fault}") from fault

    async def known(self, plan: Plan) -> Sequence[KnownRange]:
        del plan
        return ()

    async def finished(self, plan: Plan) -> None:
        del plan

    async def _take_over(self) -> None:
        await self._let_go()
        self._writer = TransactionalWriter(self._cluster, f"threads-replay-{self._target.name}")
        await self._writer.open()

    async def _let_go(self) -> None:
        writer, self._writer = self._writer, None
        if writer is not None:
            await writer.__aexit__(None, None, None)

    def _opened(self) -> TransactionalWriter:
        assert self._writer is not None, "used as an async context"
        return self._writer

    def _step(self, run: OperationRun) -> RawRecord:
        with schema_faults():
            return RawRecord(RUNS.name, 0, run.run_id.encode(), self._codec.encode(RUNS, run))

    def _copy(self, source: TopicPartition, record: FetchedRecord) -> RawRecord:
        place = f"{source.topic}/{source.partition}/{record.offset}".encode()
        named = [Header(name=name_text(name), value=value) for name, value in record.headers]
        kept = [each for each in named if each.name not in (REPLAY_OF, REPLAY_RUN)]
        return RawRecord(
            self._target.name,
            self._partition(source, record.key),
            record.key,
            record.value,
            [*kept, Header(name=REPLAY_OF, value=place), self._run_header],
            record.timestamp,
        )

    def _partition(self, source: TopicPartition, key: bytes | None) -> int:
        """Return its own partition where the topics have as many, else the one where its key goes."""
        count = self._target.partitions
        if source.topic in self._target.as_many_partitions:
            return source.partition
        return any_partition(count) if key is None else partition_of(key, count)

    async def _learn(self, records: Sequence[FetchedRecord]) -> None:
        for number in {_schema_id(each.value) for each in records} - self._fits.keys():
            self._fits[number] = await asyncio.to_thread(self._has, number)

    def _has(self, schema_id: int | None) -> bool:
        """Tell whether a schema is one of the target's; a topic of no catalogue takes whatever its source has."""
        if not self._target.in_catalogue:
            return True
        if schema_id is None:
            return False
        try:
            found = self._registry.writer_schema(schema_id)
        except RegistryUnavailable as error:
            raise Unavailable(str(error)) from error
        except SchemaError:
            return False
        return found.is_version_of(topic_named(self._target.name).subject)


def _schema_id(value: bytes | None) -> int | None:
    """Return the schema id in a value's frame, None of a tombstone or of what has no frame."""
    try:
        return schema_id_of(value)
    except DecodeFault:
        return None
