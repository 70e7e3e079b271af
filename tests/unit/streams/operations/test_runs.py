"""Chunks and positions: what is told of a run follows what is durable, and nothing else."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from schemas.records import OperationRun
from streams.engine.batch import TopicPartition
from streams.engine.stage import Output
from streams.errors import Unavailable
from streams.operations.runs import ToldRun, new_run
from streams.replaying.planning import position
from streams.replaying.writing import Chunk, Prepared

SOURCE, OTHER = TopicPartition("a", 0), TopicPartition("a", 1)


class Steps:
    """Keeps steps; is away while told so."""

    def __init__(self) -> None:
        self.taken: list[OperationRun] = []
        self.is_away = False

    async def append_all(self, outputs: Iterable[Output]) -> None:
        if self.is_away:
            raise Unavailable("away")
        self.taken += [each.record for each in outputs if isinstance(each.record, OperationRun)]


def told_run(steps: Steps, now: list[float]) -> ToldRun:
    positions = (position(SOURCE, 0, 10), position(OTHER, 5, 10))
    return ToldRun(new_run("replay", selection="a", target="t", positions=positions), steps, lambda: now[0])


def chunk() -> Chunk[int]:
    made = Chunk[int]()
    made.add(Prepared([1, 2], 2, read=3, skipped=1))
    made.add(Prepared([], 0, read=1, refused=1))
    made.nexts[OTHER] = 9
    return made


async def test_a_chunk_moves_its_partitions_and_counts() -> None:
    told = told_run(Steps(), [0.0])
    changes = chunk().after(told)
    assert [each.next for each in changes.pop("positions")] == [0, 9]
    assert changes == {"read": 4, "written": 2, "skipped": 1, "refused": 1}


async def test_progress_is_noted_at_once_and_told_when_it_is_due() -> None:
    steps, now = Steps(), [0.0]
    told = told_run(steps, now)
    await told.begin()
    await told.progress(read=4)
    assert told.run.read == 4
    assert [step.read for step in steps.taken] == [0]
    now[0] = 5.0
    await told.progress(read=9)
    assert [(step.sequence, step.read) for step in steps.taken] == [(1, 0), (2, 9)]


async def test_a_step_that_was_not_taken_is_none() -> None:
    steps = Steps()
    told = told_run(steps, [0.0])
    await told.begin()
    steps.is_away = True
    with pytest.raises(Unavailable):
        await told.tell(read=4)
    assert (told.run.sequence, told.run.read) == (1, 0)


async def test_the_newer_step_of_the_log_counts() -> None:
    told = told_run(Steps(), [0.0])
    older = told.run
    await told.tell(read=4)
    newer = told.run
    await told.take_over(older)
    assert told.run is newer


async def test_an_ended_run_says_so_and_one_that_goes_on_has_no_end() -> None:
    steps = Steps()
    told = told_run(steps, [0.0])
    await told.end("failed", "the disk is full")
    assert (told.run.status, told.run.reason) == ("failed", "the disk is full")
    assert told.run.ended_at is not None
    await told.tell(read=1)
    assert [step.status for step in steps.taken] == ["failed", "running"]
    assert told.run.reason is None
    assert steps.taken[-1].ended_at is None
