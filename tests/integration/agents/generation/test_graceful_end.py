"""A generation worker that is stopped, or shares its partitions, first takes the answers of its calls under way."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

import pytest

from agents.personas.persona import Persona, PersonaBudget
from agents.personas.persona_topic import persona_applied
from schemas.catalogue import topic_named
from schemas.codec.rows import RowCodec
from schemas.errors import DecodeFault
from schemas.records import CostEvent, DraftDecided, PersonaRequest, Record
from schemas.registries.registry import open_registry
from streams.engine.loop import DRAIN_WITHIN_S
from streams.engine.stage import Output
from streams.kafka.partitioning import partition_of
from streams.kafka.producer import EventProducer
from streams.kafka.reader import read_range
from tests.conftest import Stack
from tests.faults.conftest import SpawnWorker, WorkerProcess
from tests.support.drafting import samples
from tests.support.faults.call_reconciliation import reconciled
from tests.support.faults.consumer_group import ConsumerGroup
from tests.support.openai.completions import Bill
from tests.support.openai.loopback import LoopbackOpenAI, loopback_openai

REQUESTS, PERSONAS, PARTITIONS = 40, 8, 4
IN_FLIGHT = 8
LATENCY_S = 1.0
DEADLINE_S, POLL_S = 90.0, 0.1
EXIT_S = 5.0  # beside the calls: the last checkpoint, leaving the group, the interpreter's end


@dataclass(frozen=True, slots=True)
class Run:
    """Requests of this run's own personas, whose briefs name it, and the model that they are written by."""

    stack: Stack
    model: LoopbackOpenAI
    name: str
    personas: tuple[Persona, ...]
    spawn: SpawnWorker

    def worker(self, slot: str = "0") -> WorkerProcess:
        return self.spawn(
            "generation",
            slot=slot,
            OPENAI_BASE_URL=self.model.base_url,
            OPENAI_API_KEY=slot,
            THREADS_LLM_CONCURRENCY=str(IN_FLIGHT),
            THREADS_BURST_SIZE="1",  # a call's seed names one draft
        )

    def requests(self, count: int) -> list[PersonaRequest]:
        return [
            PersonaRequest(
                event_id=f"{self.name}-{number}",
                occurred_at=datetime.now(UTC),
                persona_id=persona.persona_id,
                brief=f"{persona.topics[number // PERSONAS % 3]} {self.name} {number}",
            )
            for number in range(count)
            for persona in (self.personas[number % PERSONAS],)
        ]

    def calls_of(self, slot: str) -> int:
        """Return how many calls a worker has made, by its key."""
        return self.model.keys.count(f"Bearer {slot}")

    def bills(self) -> list[Bill]:
        """Return the bills of this run's calls: earlier tests may have left requests."""
        return [each for each in self.model.bills if self.name in json.dumps(each.body["messages"])]

    def is_under_way(self, billed: int) -> bool:
        """Tell whether so many calls are billed, and as many under way as may be."""
        return len(self.bills()) >= billed and self.model.in_flight == IN_FLIGHT

    async def read(self, *topics: str) -> AsyncIterator[Record]:
        ours, codec = {each.persona_id for each in self.personas}, RowCodec(open_registry(None))
        for name in topics:
            async for _, records in read_range(self.stack.settings, self.stack.bootstrap, name):
                for record in records:
                    with contextlib.suppress(DecodeFault):  # other tests append garbage
                        found = codec.decode(topic_named(name), record.value)
                        if getattr(found, "persona_id", None) in ours:
                            yield found

    async def until_decided(self, count: int, log: Callable[[], str]) -> None:
        """Wait until every request has one draft, and it is decided."""
        deadline = time.monotonic() + DEADLINE_S
        decided: dict[str, set[str]] = {}
        while len(decided) < count:
            assert time.monotonic() < deadline, f"{len(decided)} of {count} decided\n{log()[-3_000:]}"
            await asyncio.sleep(POLL_S)
            decided = {}
            async for event in self.read("drafts.accepted", "drafts.rejected"):
                assert isinstance(event, DraftDecided)
                decided.setdefault(event.draft.request_id, set()).add(event.draft.draft_id)
        assert all(len(drafts) == 1 for drafts in decided.values())

    async def booked(self) -> list[CostEvent]:
        """Return the distinct bookings of the run's chats."""
        found: dict[str, CostEvent] = {}
        async for event in self.read("cost.events"):
            assert isinstance(event, CostEvent)
            if event.step != "embedding":
                assert found.setdefault(event.event_id, event) == event
        return list(found.values())

    async def check_paid_once(self) -> None:
        """Hold what was booked to the model's bills: each call is asked once, billed once and booked once."""
        events, bills = await self.booked(), self.bills()
        asked = Counter(json.dumps(bill.body, sort_keys=True) for bill in bills)
        again = asked.total() - len(asked)
        found = reconciled(events, bills)
        assert (again, len(found.unbilled), len(found.unbooked)) == (0, 0, 0), f"of {len(bills)} calls"
        assert sum(each.prompt_tokens for each in events) == sum(each.prompt_tokens for each in bills) > 0
        assert sum(each.completion_tokens for each in events) == sum(each.completion_tokens for each in bills) > 0


def placed(persona: Persona, partition: int, name: str) -> Persona:
    """Return the persona under an id of this run whose records go to a partition."""
    ids = (f"{persona.persona_id}-{name}-{number}" for number in itertools.count())
    persona_id = next(each for each in ids if partition_of(each.encode(), PARTITIONS) == partition)
    return persona.model_copy(update={"persona_id": persona_id, "budget": PersonaBudget()})


@asynccontextmanager
async def begun(stack: Stack, spawn: SpawnWorker, model: LoopbackOpenAI, name: str, count: int) -> AsyncIterator[Run]:
    """Apply the run's personas, as many on each partition, and append its requests."""
    personas = tuple(placed(each, number % PARTITIONS, name) for number, each in enumerate(samples()[:PERSONAS]))
    async with loopback_openai(model):
        run = Run(stack, model, name, personas, spawn)
        producer = EventProducer(stack.bootstrap, open_registry(None), stack.settings)
        await producer.start()
        try:
            await producer.append_all(
                [Output("personas", persona_applied(each, datetime.now(UTC))) for each in personas]
            )
            await producer.append_all([Output("persona.requests", each) for each in run.requests(count)])
        finally:
            await producer.stop()
        yield run


async def until(condition: Callable[[], bool], worker: WorkerProcess) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline, worker.log()[-3_000:]
        await asyncio.sleep(0.01)


async def stopped(worker: WorkerProcess) -> tuple[int, float]:
    """End a worker with SIGTERM; return its exit status and how long it took, in seconds."""
    began = time.monotonic()
    return await asyncio.to_thread(worker.stop), time.monotonic() - began


@pytest.mark.timeout(240)
async def test_calls_under_way_at_a_sigterm_are_paid_once_and_booked(
    stack: Stack, spawn_worker: SpawnWorker, seed: int
) -> None:
    model = LoopbackOpenAI(latency_s=LATENCY_S)
    async with begun(stack, spawn_worker, model, f"stop-{seed}", REQUESTS) as run:
        worker = run.worker()
        for billed in (REQUESTS // 4, REQUESTS):
            await until(partial(run.is_under_way, billed), worker)
            status, took_s = await stopped(worker)
            assert (status, model.in_flight, took_s < EXIT_S) == (0, 0, True), (
                f"{took_s:.1f} s\n{worker.log()[-2_000:]}"
            )
            worker.start()
        await run.until_decided(REQUESTS, worker.log)
        assert worker.stop() == 0
        await run.check_paid_once()


@pytest.mark.timeout(240)
async def test_calls_under_way_when_another_worker_joins_are_paid_once_and_booked(
    stack: Stack, spawn_worker: SpawnWorker, seed: int
) -> None:
    model = LoopbackOpenAI(latency_s=LATENCY_S)
    group = ConsumerGroup(stack.settings, stack.bootstrap, "generation")
    count = 2 * REQUESTS
    async with begun(stack, spawn_worker, model, f"join-{seed}", count) as run:
        first = run.worker("0")
        await until(lambda: len(run.bills()) >= IN_FLIGHT, first)
        second = run.worker("1")
        await group.until_members(2, first.log)
        asked = len(model.requests)
        await run.until_decided(count, lambda: first.log()[-2_000:] + second.log())
        assert asked < len(model.requests), "the second worker joined when all was asked"
        assert run.calls_of("1") > 0, "the second worker did nothing"
        assert (await stopped(first))[0] == (await stopped(second))[0] == 0
        await run.check_paid_once()


@pytest.mark.timeout(240)
async def test_a_call_that_hangs_holds_up_the_exit_no_longer_than_the_grace(
    stack: Stack, spawn_worker: SpawnWorker, seed: int
) -> None:
    model = LoopbackOpenAI(latency_s=LATENCY_S, faults=["slow"], slow_s=DEADLINE_S)
    async with begun(stack, spawn_worker, model, f"hang-{seed}", IN_FLIGHT) as run:
        worker = run.worker()
        await until(lambda: len(run.bills()) >= 1 and bool(model.injected), worker)
        status, took_s = await stopped(worker)
        assert (status, took_s < DRAIN_WITHIN_S + EXIT_S) == (0, True), f"{took_s:.1f} s\n{worker.log()[-2_000:]}"
        worker.start()
        await run.until_decided(IN_FLIGHT, worker.log)
        assert worker.stop() == 0
        await run.check_paid_once()
