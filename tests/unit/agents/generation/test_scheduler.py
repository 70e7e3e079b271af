"""The scheduler: bursts under way at once up to a bound, none of them lost, none held up by another."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from agents.generation.admission import assignments_of
from agents.generation.asking.writer import CallGate, CallsHeld
from agents.generation.assignment import Assignment, Burst, bursts_of
from agents.generation.drafting.draft_work import DraftOutcome
from agents.generation.scheduler import Job, Scheduler
from agents.personas.directory import AppliedPersona
from streams.engine.batch import TopicPartition
from streams.engine.retry import Backoff
from streams.errors import SettingsError, Unavailable
from tests.support.drafting import REQUESTS, request, samples

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


def scheduler(model: Model, bound: int = 2, gate: CallGate | None = None, wait_s: float = 0.001) -> Scheduler:
    backoff = Backoff(first_s=wait_s, max_s=2 * wait_s)
    return Scheduler(model.write, model.finished, gate or CallGate(bound), bound=bound, backoff=backoff)


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


class TwoCalls(Model):
    """Writes a burst by two calls through a gate; finished first calls are remembered."""

    def __init__(self, gate: CallGate) -> None:
        super().__init__()
        self.gate = gate
        self.asked: list[str] = []
        self.answered: set[str] = set()

    async def write(self, burst: Burst) -> Sequence[DraftOutcome]:
        for call in ("first", "second"):
            name = f"{burst[0].request_id} {call}"
            if name not in self.answered:
                async with self.gate:
                    self.asked.append(name)
                    await super().write(burst)
                self.answered.add(name)
        return [NOTHING] * len(burst)


async def test_draining_waits_for_calls_under_way_begins_no_other_and_afterwards_all_goes_on() -> None:
    gate = CallGate(1)
    model = TwoCalls(gate)
    work = scheduler(model, gate=gate)
    for name in ("a", "b", "c"):
        work.begin(job(name))
    await model.until_begun(1)
    draining = asyncio.create_task(work.drain(DEADLINE_S))
    await asyncio.sleep(0)
    assert not draining.done()
    model.open("a")
    await asyncio.wait_for(draining, DEADLINE_S)
    assert (model.asked, model.answered, model.ended) == (["a first"], {"a first"}, [])
    assert (work.load.under_way, work.load.waiting) == (0, 3)
    room = asyncio.create_task(work.room())
    work.begin(job("d"))
    for name in ("b", "c", "d"):
        model.open(name)
    work.resume()
    await model.until("a", "b", "c", "d")
    await asyncio.wait_for(room, DEADLINE_S)
    assert sorted(model.asked) == [f"{name} {call}" for name in "abcd" for call in ("first", "second")]


async def test_draining_does_not_wait_longer_than_it_may_and_the_slow_call_goes_on() -> None:
    model = Model()
    work = scheduler(model)
    work.begin(job("slow"))
    await model.until_begun(1)
    await asyncio.wait_for(work.drain(0.01), DEADLINE_S)
    assert work.load.under_way == 1
    model.open("slow")
    await model.until("slow")


async def test_draining_does_not_wait_for_a_model_that_is_away() -> None:
    model = Model()
    model.away = {"a"}
    work = scheduler(model, wait_s=10 * DEADLINE_S)
    work.begin(job("a"))
    await model.until_begun(1)
    await asyncio.wait_for(work.drain(10 * DEADLINE_S), DEADLINE_S)
    model.away = set()
    model.open("a")
    work.resume()
    await model.until("a")


async def test_a_drained_partition_that_goes_is_forgotten_and_the_others_go_on() -> None:
    model = Model()
    work = scheduler(model, bound=1)
    await work.drain(DEADLINE_S)
    work.begin(job("gone"))
    work.begin(job("kept", OTHER))
    await work.drop(REQUESTS)
    assert model.begun == []
    model.open("kept")
    work.resume()
    await model.until("kept")
    assert model.begun == ["kept"]


async def test_a_shut_gate_ends_pauses_and_is_passed_by_nobody_who_waited() -> None:
    gate = CallGate(1)
    await gate.pause(0.001)
    async with gate:
        waiting = asyncio.create_task(gate.__aenter__())
        pausing = asyncio.create_task(gate.pause(10 * DEADLINE_S))
        await asyncio.sleep(0)
        gate.shut()
    for held in (waiting, pausing, asyncio.create_task(gate.__aenter__())):
        with pytest.raises(CallsHeld):
            await asyncio.wait_for(held, DEADLINE_S)
    gate.open()
    async with gate:
        assert not gate.is_shut


def test_assignments_with_the_same_instructions_make_bursts_in_their_order() -> None:
    mixed = [assignment("a", 0), assignment("b", 1), assignment("c", 0), assignment("d", 0)]
    found = [[each.request_id for each in burst] for burst in bursts_of(mixed, 2)]
    assert found == [["a", "c"], ["d"], ["b"]]
