"""Work that goes on after a slice was folded: commits stay behind the oldest unfinished record, and nothing is lost."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.records import DeadLetter, PersonaRequest
from streams.engine.batch import ColumnBatch, TopicPartition
from streams.engine.stage import Effects, LongPart, LongStage, Output, Rejection
from streams.errors import RecordFault, Unavailable
from tests.support.loop_in_memory import AT, SOURCE, TOPIC, StageWorker, Surroundings, event

OTHER = TopicPartition(TOPIC.name, 1)
DEADLINE_S = 10.0


class LongPartition(LongPart[ColumnBatch]):
    """Take records, and finish each when the test says so."""

    def __init__(self, stage: LongWork, source: TopicPartition) -> None:
        self.under_way: set[int] = set()
        self.finished: list[int] = []
        self.refused: list[int] = []
        self._stage = stage
        self._source = source

    async def add(self, batch: ColumnBatch) -> Sequence[Rejection]:
        self.under_way.update(batch.frame["offset"].to_list())
        return ()

    def finish(self, offset: int, *, refuse: bool = False) -> None:
        self.under_way.remove(offset)
        (self.refused if refuse else self.finished).append(offset)

    def unfinished(self) -> int | None:
        return min(self.under_way, default=None)

    def flush(self) -> Effects:
        effects = Effects()
        for offset in self.finished:
            done = PersonaRequest(
                event_id=f"{self._source.partition}/{offset}", occurred_at=AT, persona_id="ada", brief="done"
            )
            effects.outputs.append(Output("persona.requests", done))
        effects.rejections = [Rejection(offset, RecordFault("came to nothing")) for offset in self.refused]
        self.finished, self.refused = [], []
        return effects

    async def leave(self) -> None:
        self._stage.parts.pop(self._source)


class LongWork(LongStage[LongPartition]):
    """A stage of such partitions."""

    name = "long-work"
    topics = (TOPIC.name,)

    def __init__(self) -> None:
        self.parts: dict[TopicPartition, LongPartition] = {}
        self.free = asyncio.Event()
        self.free.set()
        self.draining = asyncio.Event()  # set while nothing is begun
        self.in_time: set[int] = set()  # offsets of SOURCE that end while it drains

    @property
    def under_way(self) -> dict[TopicPartition, set[int]]:
        return {source: part.under_way for source, part in self.parts.items()}

    async def take(self, source: TopicPartition, state: Iterable[tuple[bytes, bytes]]) -> LongPartition:
        del state
        self.parts[source] = LongPartition(self, source)
        return self.parts[source]

    async def room(self) -> None:
        await self.free.wait()

    def finish(self, source: TopicPartition, offset: int, *, refuse: bool = False) -> None:
        self.parts[source].finish(offset, refuse=refuse)

    def idle_flush_due(self, parts: Collection[LongPartition]) -> bool:
        return any(part.finished or part.refused for part in parts)

    async def drain(self, within_s: float) -> bool:
        assert not self.draining.is_set(), "drained twice"
        self.draining.set()
        for offset in sorted(self.in_time) if within_s else ():
            await asyncio.sleep(within_s / 1_000)
            self.finish(SOURCE, offset)
        return self.idle_flush_due(self.parts.values())

    def resume(self) -> None:
        self.draining.clear()


async def working(surroundings: Surroundings, records: int, *owned: TopicPartition) -> tuple[StageWorker, LongWork]:
    stage = LongWork()
    worker = StageWorker(surroundings, stage)
    for source in owned or (SOURCE,):
        for number in range(records):
            surroundings.produce(event("ada", number + 1), source)
    await worker.join(1, *(owned or (SOURCE,)))
    for source in owned or (SOURCE,):
        await worker.deliver(records, source)
    return worker, stage


def done(surroundings: Surroundings) -> set[str]:
    return {each.record.event_id for each in surroundings.outputs if isinstance(each.record, PersonaRequest)}


async def test_what_finishes_behind_an_unfinished_record_is_told_at_once_and_committed_with_it() -> None:
    surroundings = Surroundings()
    worker, stage = await working(surroundings, 4)
    stage.finish(SOURCE, 1)
    stage.finish(SOURCE, 3)
    await worker.checkpoint()
    assert done(surroundings) == {"0/1", "0/3"}
    assert surroundings.committed.get(SOURCE, 0) == 0
    stage.finish(SOURCE, 0)
    await worker.checkpoint()
    assert surroundings.committed[SOURCE] == 2
    stage.finish(SOURCE, 2)
    await worker.checkpoint()
    assert surroundings.committed[SOURCE] == 4
    assert worker.transport.in_flight_bytes == 0


async def test_no_checkpoint_is_taken_while_nothing_has_finished() -> None:
    surroundings = Surroundings()
    worker, _ = await working(surroundings, 2)
    surroundings.journal.clear()
    await worker.checkpoint()
    assert surroundings.journal == []


async def test_a_record_refused_long_after_its_slice_becomes_a_dead_letter_with_its_bytes() -> None:
    surroundings = Surroundings()
    worker, stage = await working(surroundings, 3)
    stage.finish(SOURCE, 0)
    await worker.checkpoint()
    stage.finish(SOURCE, 2, refuse=True)
    stage.finish(SOURCE, 1)
    await worker.checkpoint()
    (letter,) = [each.record for each in surroundings.outputs if isinstance(each.record, DeadLetter)]
    assert (letter.source_offset, letter.value) == (2, surroundings.log[SOURCE][2].value)
    assert surroundings.committed[SOURCE] == 3


async def test_a_partition_that_stays_through_a_rebalance_goes_on_with_its_work() -> None:
    surroundings = Surroundings()
    worker, stage = await working(surroundings, 3, SOURCE, OTHER)
    stage.finish(SOURCE, 0)
    await worker.join(2, SOURCE)
    assert stage.under_way == {SOURCE: {1, 2}}
    await worker.deliver(10)  # what was read again after the rebalance
    assert stage.under_way == {SOURCE: {1, 2}}
    stage.finish(SOURCE, 1)
    stage.finish(SOURCE, 2)
    await worker.checkpoint()
    assert surroundings.committed[SOURCE] == 3
    assert done(surroundings) == {"0/0", "0/1", "0/2"}


async def test_what_ends_while_the_stage_drains_is_durable_before_the_partition_goes() -> None:
    surroundings = Surroundings()
    worker, stage = await working(surroundings, 3)
    stage.in_time = {0, 2}
    await worker.loop.release()
    assert stage.draining.is_set()
    assert done(surroundings) == {"0/0", "0/2"}
    assert surroundings.committed[SOURCE] == 1
    await worker.loop.release()  # at a stop there are two: the second must not drain again
    await worker.loop.assign(set(), 2)
    assert (stage.draining.is_set(), stage.under_way) == (False, {})


async def test_what_no_offset_waits_for_is_durable_before_the_partition_goes_too() -> None:
    surroundings = Surroundings()
    worker, stage = await working(surroundings, 1)
    stage.finish(SOURCE, 0)
    await worker.checkpoint()
    stage.parts[SOURCE].under_way = {7}
    stage.in_time = {7}
    await worker.loop.release()
    assert done(surroundings) == {"0/0", "0/7"}


async def test_a_worker_that_is_no_member_any_more_begins_nothing_and_waits_for_nothing() -> None:
    surroundings = Surroundings()
    worker, stage = await working(surroundings, 2)
    stage.in_time = {0}
    worker.transport.generation += 1
    await worker.loop.release()
    assert (stage.draining.is_set(), stage.under_way, done(surroundings)) == (True, {SOURCE: {0, 1}}, set())


async def test_a_checkpoint_under_way_does_not_keep_the_stage_from_draining() -> None:
    surroundings = Surroundings()
    worker, stage = await working(surroundings, 2)
    stage.finish(SOURCE, 0)
    stage.in_time = {1}
    worker.now += 1.0
    surroundings.faults += [("outputs", "before", Unavailable("broker away"))]
    checkpoint = asyncio.create_task(worker.loop.tick())
    async with asyncio.timeout(DEADLINE_S):
        while surroundings.faults:
            await asyncio.sleep(0)
        await worker.loop.release()
        await checkpoint
    assert done(surroundings) == {"0/0", "0/1"}
    assert surroundings.committed[SOURCE] == 2


async def test_a_full_stage_holds_back_the_next_slice_and_not_the_checkpoint() -> None:
    surroundings = Surroundings()
    worker, stage = await working(surroundings, 2)
    surroundings.produce(event("ada", 9))
    stage.free.clear()
    held_back = asyncio.create_task(worker.deliver())
    stage.finish(SOURCE, 0)
    await worker.checkpoint()
    assert surroundings.committed[SOURCE] == 1
    assert stage.under_way == {SOURCE: {1}}
    stage.free.set()
    assert await held_back
    assert stage.under_way == {SOURCE: {1, 2}}


@settings(max_examples=150, deadline=None)
@given(data=st.data(), records=st.integers(1, 12))
def test_any_order_of_finishing_and_any_crash_loses_nothing(data: st.DataObject, records: int) -> None:
    asyncio.run(_lives(data, records))


async def _lives(data: st.DataObject, records: int) -> None:
    surroundings = Surroundings()
    for number in range(records):
        surroundings.produce(event("ada", number + 1), hole=data.draw(st.integers(0, 2)))
    offsets = {record.offset for record in surroundings.log[SOURCE]}
    for generation in range(1, data.draw(st.integers(1, 3)) + 1):
        stage = LongWork()
        worker = StageWorker(surroundings, stage)
        await worker.join(generation, SOURCE)
        for _ in range(data.draw(st.integers(1, 8))):
            await _step(data, worker, stage)
            committed = surroundings.committed.get(SOURCE, 0)
            told = done(surroundings)
            assert all(f"0/{offset}" in told for offset in offsets if offset < committed)
    while await worker.deliver(3):
        pass
    for offset in sorted(stage.under_way.get(SOURCE, ())):
        stage.finish(SOURCE, offset)
    await worker.checkpoint()
    assert done(surroundings) == {f"0/{offset}" for offset in offsets}
    assert surroundings.committed[SOURCE] == max(offsets) + 1


async def _step(data: st.DataObject, worker: StageWorker, stage: LongWork) -> None:
    match data.draw(st.sampled_from(["deliver", "finish", "finish", "checkpoint"])):
        case "deliver":
            await worker.deliver(data.draw(st.integers(1, 4)))
        case "finish" if stage.under_way.get(SOURCE):
            stage.finish(SOURCE, data.draw(st.sampled_from(sorted(stage.under_way[SOURCE]))))
        case _:
            await worker.checkpoint()
