"""A stage that is driven by hand, call by call, as the loop drives it; its partitions are seen together."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, NamedTuple, TypeVar

from streams.engine.batch import Batch, TopicPartition
from streams.engine.readings import Reading
from streams.engine.stage import AnyStage, LongPart, LongStage, Output, OutputColumns, Part, Rejection

S = TypeVar("S", bound=AnyStage)


class StateChange(NamedTuple):
    """A new value of a state key of a partition; None deletes it."""

    source: TopicPartition
    key: bytes
    value: bytes | None


@dataclass(slots=True)
class Emitted:
    """What a flush made of all partitions together."""

    state: list[StateChange] = field(default_factory=list)
    outputs: list[Output | OutputColumns] = field(default_factory=list)
    rejections: dict[TopicPartition, list[Rejection]] = field(default_factory=dict)


class DrivenStage(Generic[S]):
    """A stage and the parts that it was given."""

    def __init__(self, stage: S) -> None:
        self.stage = stage
        self.parts: dict[TopicPartition, Part[Any]] = {}

    async def open(self) -> None:
        await self.stage.open()

    async def restore(self, source: TopicPartition, state: Iterable[tuple[bytes, bytes]]) -> None:
        self.parts[source] = await self.stage.take(source, state)

    async def catch_up(self) -> None:
        await self.stage.catch_up()

    async def add(self, batch: Batch) -> Sequence[Rejection]:
        if batch.source not in self.parts:
            await self.restore(batch.source, ())
        await self.stage.catch_up()
        return await self.parts[batch.source].add(batch)

    async def flush(self) -> Emitted:
        told = Emitted()
        for source, effects in (await self.stage.flush(self.parts)).items():
            told.state += [StateChange(source, key, value) for key, value in effects.changes]
            told.outputs += effects.outputs
            if effects.rejections:
                told.rejections[source] = effects.rejections
        return told

    def idle_flush_due(self) -> bool:
        return self.stage.idle_flush_due(self.parts.values())

    def unfinished(self, source: TopicPartition) -> int | None:
        part = self.parts.get(source)
        return part.unfinished() if isinstance(part, LongPart) else None

    def readings(self) -> Iterable[Reading]:
        return self.stage.readings()

    async def drain(self, within_s: float) -> bool:
        assert isinstance(self.stage, LongStage)
        return await self.stage.drain(within_s)

    def resume(self) -> None:
        assert isinstance(self.stage, LongStage)
        self.stage.resume()

    async def drop(self, source: TopicPartition) -> None:
        part = self.parts.pop(source, None)
        if isinstance(part, LongPart):
            await part.leave()

    async def close(self) -> None:
        for source in list(self.parts):
            await self.drop(source)
        await self.stage.close()
