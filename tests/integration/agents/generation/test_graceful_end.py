"""A generation worker that is stopped, or shares its partitions, first takes the answers of its calls under way."""

from __future__ import annotations

import asyncio
import itertools
import json
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest

from agents.personas.persona import Persona, PersonaBudget
from agents.personas.persona_topic import persona_applied
from schemas.catalogue import topic_named
from schemas.codec.rows import RowCodec
from schemas.records import CostEvent, DraftDecided, DraftGenerated, DraftScored, PersonaRequest, Record
from schemas.registries.registry import open_registry
from streams.engine.batch import TopicPartition
from streams.engine.loop import DRAIN_WITHIN_S
from streams.engine.stage import Output
from streams.kafka.log_reader import read_range
from streams.kafka.producer import EventProducer, partition_of
from tests.faults.conftest import SpawnWorker, WorkerProcess, spawning
from tests.support.drafting import samples
from tests.support.faults.call_reconciliation import reconciled
from tests.support.faults.consumer_group import ConsumerGroup
from tests.support.faults.dead_letters import dead_letters
from tests.support.faults.own_broker import OwnBroker, own_broker
from tests.support.openai.completions import Bill
from tests.support.openai.loopback import LoopbackOpenAI, loopback_openai

REQUESTS, PERSONAS, PARTITIONS = 40, 8, 4
IN_FLIGHT = 8
LATENCY_S, SHORT_LATENCY_S = 1.0, 0.1
DEADLINE_S, POLL_S = 90.0, 0.1
EXIT_S = 5.0  # beside the calls: the last checkpoint, leaving the group, the interpreter's end
SHOWN_CHARS = 20_000  # of a worker's log
DECIDED = ("drafts.accepted", "drafts.rejected")
ON_THE_WAY = ("persona.requests", "drafts.generated", "drafts.scored", *DECIDED)


@pytest.fixture(scope="module")
def broker() -> Iterator[OwnBroker]:
    """A broker of this file's own: a worker would first write the requests that earlier tests left on a shared one."""
    with own_broker() as made:
        yield made


@pytest.fixture
def spawn_worker(broker: OwnBroker, tmp_path: Path) -> Iterator[SpawnWorker]:
    """Start workers of that broker."""
    with spawning(broker, tmp_path) as spawn:
        yield spawn


@dataclass(frozen=True, slots=True)
class Run:
    """Requests of this run's own personas, whose briefs name it, and the model that they are written by."""

    broker: OwnBroker
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

    def requests(self, numbers: Iterable[int]) -> list[PersonaRequest]:
        return [
            PersonaRequest(
                event_id=f"{self.name}-{number}",
                occurred_at=datetime.now(UTC),
                persona_id=persona.persona_id,
                brief=f"{persona.topics[number // PERSONAS % 3]} {self.name} {number}",
            )
            for number in numbers
            for persona in (self.personas[number % PERSONAS],)
        ]

    async def append(self, outputs: Sequence[Output]) -> None:
        producer = EventProducer(self.broker.cluster, open_registry(None))
        try:
            await producer.append_all(outputs)
        finally:
            await producer.stop()

    async def ask_for(self, numbers: Iterable[int]) -> None:
        """Append requests, a persona's on its own partition."""
        await self.append([Output("persona.requests", each) for each in self.requests(numbers)])

    def calls_of(self, slot: str) -> int:
        """Return how many calls a worker has made, by its key."""
        return self.model.keys.count(f"Bearer {slot}")

    def bills(self) -> list[Bill]:
        """Return the bills of this run's calls."""
        return [each for each in self.model.bills if self.name in json.dumps(each.body["messages"])]

    def is_under_way(self, billed: int) -> bool:
        """Tell whether so many calls are billed, and as many under way as may be."""
        return len(self.bills()) >= billed and self.model.in_flight == IN_FLIGHT

    async def read(self, *topics: str) -> AsyncIterator[Record]:
        """Yield this run's records."""
        async for _, record in self.placed(*topics):
            if self.is_ours(record):
                yield record

    async def placed(self, *topics: str) -> AsyncIterator[tuple[TopicPartition, Record]]:
        """Yield the records of any run, each with where it stands."""
        codec = RowCodec(open_registry(None))
        for name in topics:
            async for source, records in read_range(self.broker.cluster, name):
                for record in records:
                    yield source, codec.decode(topic_named(name), record.value)

    def is_ours(self, record: Record) -> bool:
        return getattr(record, "persona_id", None) in {each.persona_id for each in self.personas}

    async def until_decided(self, count: int, log: Callable[[], str]) -> None:
        """Wait until every request has one draft, and it is decided."""
        deadline = time.monotonic() + DEADLINE_S
        decided: dict[str, set[str]] = {}
        while len(decided) < count:
            if time.monotonic() >= deadline:
                pytest.fail(f"{len(decided)} of {count} decided\n{await self.whereabouts()}\n{log()[-SHOWN_CHARS:]}")
            await asyncio.sleep(POLL_S)
            decided = {}
            async for event in self.read(*DECIDED):
                assert isinstance(event, DraftDecided)
                decided.setdefault(event.draft.request_id, set()).add(event.draft.draft_id)
        assert all(len(drafts) == 1 for drafts in decided.values())

    async def whereabouts(self) -> str:
        """Tell how far the requests came: by partition, which of ours got to each topic and no further."""
        reached: dict[str, TopicPartition] = {}
        others: Counter[TopicPartition] = Counter()
        async for source, record in self.placed(*ON_THE_WAY):  # topic by topic: the last one counts
            if self.is_ours(record):
                reached[_request_of(record)] = source
            else:
                others[source] += 1
        stayed: dict[TopicPartition, list[str]] = {}
        for request_id, source in sorted(reached.items()):
            stayed.setdefault(source, []).append(request_id.removeprefix(f"{self.name}-"))
        refused = Counter([letter.reason async for _, letter in dead_letters(self.broker)])
        calls, ours = len(self.model.requests), len(self.bills())
        return "\n".join(
            [
                *(f"{topic}/{number} has {', '.join(ids)}" for (topic, number), ids in sorted(stayed.items())),
                *(f"{topic}/{number} has {count} of others" for (topic, number), count in sorted(others.items())),
                *(f"dead.letters has {count}: {reason}" for reason, count in refused.items()),
                f"{calls} calls, {ours} of them answered and ours; {self.model.in_flight} under way",
            ]
        )

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


def _request_of(record: Record) -> str:
    match record:
        case PersonaRequest():
            return record.event_id
        case DraftGenerated():
            return record.request_id
        case DraftScored() | DraftDecided():
            return record.draft.request_id
    raise AssertionError(record)


def persona_on(persona: Persona, partition: int, name: str) -> Persona:
    """Return the persona under an id of this run whose records go to a partition."""
    ids = (f"{persona.persona_id}-{name}-{number}" for number in itertools.count())
    persona_id = next(each for each in ids if partition_of(each.encode(), PARTITIONS) == partition)
    return persona.model_copy(update={"persona_id": persona_id, "budget": PersonaBudget()})


@asynccontextmanager
async def begun(
    broker: OwnBroker, spawn: SpawnWorker, model: LoopbackOpenAI, name: str, count: int
) -> AsyncIterator[Run]:
    """Apply the run's personas, as many on each partition, and append its requests."""
    personas = tuple(persona_on(each, number % PARTITIONS, name) for number, each in enumerate(samples()[:PERSONAS]))
    async with loopback_openai(model):
        run = Run(broker, model, name, personas, spawn)
        await run.append([Output("personas", persona_applied(each, datetime.now(UTC))) for each in personas])
        await run.ask_for(range(count))
        yield run


async def until(condition: Callable[[], bool], worker: WorkerProcess) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline, worker.log()[-SHOWN_CHARS:]
        await asyncio.sleep(0.01)


async def stopped(worker: WorkerProcess) -> tuple[int, float]:
    """End a worker with SIGTERM; return its exit status and how long it took, in seconds."""
    began = time.monotonic()
    return await asyncio.to_thread(worker.stop), time.monotonic() - began


@pytest.mark.timeout(240)
async def test_calls_under_way_at_a_sigterm_are_paid_once_and_booked(
    broker: OwnBroker, spawn_worker: SpawnWorker, seed: int
) -> None:
    model = LoopbackOpenAI(latency_s=LATENCY_S)
    async with begun(broker, spawn_worker, model, f"stop-{seed}", REQUESTS) as run:
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
    broker: OwnBroker, spawn_worker: SpawnWorker, seed: int
) -> None:
    model = LoopbackOpenAI(latency_s=LATENCY_S)
    group = ConsumerGroup(broker.cluster, "generation")
    count = 4 * REQUESTS  # of two calls each: more than are answered until the second worker has started
    async with begun(broker, spawn_worker, model, f"join-{seed}", count) as run:
        first = run.worker("0")
        await until(lambda: len(run.bills()) >= IN_FLIGHT, first)
        second = run.worker("1")
        await group.until_members(2, first.log)
        assert len(model.requests) < 2 * count, "the second worker joined when all was asked"
        model.latency_s = SHORT_LATENCY_S
        await run.ask_for(range(count, count + REQUESTS))  # on every partition: the second worker has some to write
        await run.until_decided(count + REQUESTS, lambda: first.log()[-SHOWN_CHARS // 2 :] + second.log())
        assert run.calls_of("1") > 0, "the second worker did nothing"
        assert (await stopped(first))[0] == (await stopped(second))[0] == 0
        await run.check_paid_once()


@pytest.mark.timeout(240)
async def test_a_call_that_hangs_holds_up_the_exit_no_longer_than_the_grace(
    broker: OwnBroker, spawn_worker: SpawnWorker, seed: int
) -> None:
    model = LoopbackOpenAI(latency_s=LATENCY_S, faults=["slow"], slow_s=DEADLINE_S)
    async with begun(broker, spawn_worker, model, f"hang-{seed}", IN_FLIGHT) as run:
        worker = run.worker()
        await until(lambda: len(run.bills()) >= 1 and bool(model.injected), worker)
        status, took_s = await stopped(worker)
        assert (status, took_s < DRAIN_WITHIN_S + EXIT_S) == (0, True), f"{took_s:.1f} s\n{worker.log()[-2_000:]}"
        worker.start()
        await run.until_decided(IN_FLIGHT, worker.log)
        assert worker.stop() == 0
        await run.check_paid_once()
