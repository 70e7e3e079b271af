"""The scheduler: bursts under way at once up to a bound, none of them lost, none held up by another."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from agents.generation.assignment import Assignment, assignments_of
from agents.generation.burst import Burst, bursts_of
from agents.generation.graph import DraftOutcome
from agents.generation.scheduler import Job, Scheduler
from agents.personas.directory import AppliedPersona
from streams.engine.batch import TopicPartition
from streams.engine.retry import Backoff
from streams.errors import SettingsError, Unavailable
from tests.drafting import REQUESTS, request, samples

OTHER = TopicPartition(REQUESTS.topic, 1)
DEADLINE_S = 10.0
NOTHING = DraftOutcome(None, (), (), "nothing")


def assignment(name: str, persona: int = 0, number: int = 0) -> Assignment:
    made = assignments_of(request(name, draft_count=number + 1), AppliedPersona(samples()[persona], "v"), None)
    return made[number]


class Model:
    """Writes a burst when the test opens its gate; `away` are names whose next attempt finds the model away."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.gates: dict[str, asyncio.Event] = {}
        self.away: set[str] = set()
        self.error: Exception | None = None
        self.ended: list[str] = []

    async def write(self, burst: Burst) -> Sequence[DraftOutcome]:
        name = burst[0].request_id
        self.begun.append(name)
        if name in self.away:
            raise Unavailable("the model is away")
        await self.gates.setdefault(name, asyncio.Event()).wait()
        if self.error is not None:
            raise self.error
        return [NOTHING] * len(burst)

    def open(self, name: str) -> None:
        self.gates.setdefault(name, asyncio.Event()).set()

    def finished(self, job: Job, outcomes: Sequence[DraftOutcome]) -> None:
        assert len(outcomes) == len(job.burst)
        self.ended.append(job.burst[0].request_id)

    async def until(self, *names: str) -> None:
        async with asyncio.timeout(DEADLINE_S):
            while not set(names) <= set(self.ended):
                await asyncio.sleep(0.001)

    async def until_begun(self, count: int) -> None:
        async with asyncio.timeout(DEADLINE_S):
            while len(self.begun) < count:
                await asyncio.sleep(0.001)


def scheduler(model: Model, bound: int = 2) -> Scheduler:
    return Scheduler(model.write, model.finished, bound=bound, backoff=Backoff(first_s=0.001, max_s=0.002))


def job(name: str, source: TopicPartition = REQUESTS) -> Job:
    return Job(source, (assignment(name),))


async def test_bursts_run_up_to_the_bound_and_a_slow_one_holds_up_no_other() -> None:
    model = Model()
    work = scheduler(model)
    for name in ("slow", "a", "b", "c"):
        work.begin(job(name))
    await model.until_begun(2)
    assert (work.load.under_way, work.load.waiting) == (2, 2)
    for name in ("a", "b", "c"):
        model.open(name)
    await model.until("a", "b", "c")
    assert model.ended == ["a", "b", "c"]
    model.open("slow")
    await model.until("slow")
    assert (work.load.under_way, work.load.waiting) == (0, 0)


async def test_there_is_room_only_while_nothing_waits_for_its_turn() -> None:
    model = Model()
    work = scheduler(model, bound=1)
    work.begin(job("a"))
    await asyncio.wait_for(work.room(), DEADLINE_S)
    work.begin(job("b"))
    room = asyncio.create_task(work.room())
    await model.until_begun(1)
    assert not room.done()
    model.open("a")
    await asyncio.wait_for(room, DEADLINE_S)
    model.open("b")
    await model.until("b")


async def test_a_burst_whose_model_is_away_is_tried_again_and_others_go_on() -> None:
    model = Model()
    model.away = {"a"}
    work = scheduler(model)
    work.begin(job("a"))
    work.begin(job("b"))
    model.open("b")
    await model.until("b")
    assert model.begun.count("a") > 0
    assert model.ended == ["b"]
    model.away = set()
    model.open("a")
    await model.until("a")


async def test_an_error_is_raised_by_the_next_check_and_nothing_more_is_begun() -> None:
    model = Model()
    model.error = SettingsError("the key is wrong")
    work = scheduler(model, bound=1)
    work.begin(job("a"))
    work.begin(job("b"))
    model.open("a")
    async with asyncio.timeout(DEADLINE_S):
        while not work.is_broken:
            await asyncio.sleep(0.001)
    with pytest.raises(SettingsError, match="the key is wrong"):
        work.check()
    assert model.begun == ["a"]


async def test_dropping_a_partition_breaks_off_its_bursts_alone() -> None:
    model = Model()
    work = scheduler(model)
    for name, source in (("gone", REQUESTS), ("kept", OTHER), ("gone too", REQUESTS)):
        work.begin(job(name, source))
    await model.until_begun(2)
    await work.drop(REQUESTS)
    model.open("kept")
    await model.until("kept")
    assert model.ended == ["kept"]
    assert (work.load.under_way, work.load.waiting) == (0, 0)


def test_assignments_with_the_same_instructions_make_bursts_in_their_order() -> None:
    mixed = [assignment("a", 0), assignment("b", 1), assignment("c", 0), assignment("d", 0)]
    found = [[each.request_id for each in burst] for burst in bursts_of(mixed, 2)]
    assert found == [["a", "c"], ["d"], ["b"]]
