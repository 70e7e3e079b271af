"""200 requests while a tenth of the calls fail and the worker is killed: none is lost, each call is booked once."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest
from pydantic import SecretStr

from agents.costs.prices import cost_micros, read_prices
from agents.llm.answers.reply import Usage
from agents.personas.persona import Persona, PersonaBudget
from agents.personas.persona_topic import persona_applied
from schemas.catalogue import topic_named
from schemas.codec.rows import RowCodec
from schemas.errors import DecodeFault
from schemas.records import CostEvent, DraftDecided, PersonaRequest, Record, SpendTotal
from schemas.registries.registry import open_registry
from sinks.reports.queries import Found, NoTables, report
from streams.engine.stage import Output
from streams.kafka.log_reader import read_range
from streams.kafka.producer import EventProducer
from streams.settings import Settings
from tests.conftest import Stack
from tests.faults.conftest import SpawnWorker, WorkerProcess
from tests.support.drafting import samples
from tests.support.faults.call_reconciliation import reconciled
from tests.support.faults.fault_report import BeginFault
from tests.support.openai.completions import Bill
from tests.support.openai.faults import Fault
from tests.support.openai.loopback import LoopbackOpenAI, loopback_openai
from tests.support.sink_workers import SinkWorkers, series, sink_workers

REQUESTS, PERSONAS = 200, 8
FAULTS: tuple[Fault, ...] = ("429", "500", "slow", "malformed", "cut-off", "empty", "refusal")
KILL_AFTER_CALLS = 200
TIMEOUT_S, SLOW_S = 4.0, 5.0
IN_FLIGHT = 8
MICROS = 1_000_000
DEADLINE_S, POLL_S = 200.0, 0.25
QUIET_S = 2.0
Money = Counter[tuple[str, str]]
"""Micro-dollars by persona and model."""


def personas(seed: int) -> list[Persona]:
    """Eight sample personas of this run's own, without budgets that would park their requests."""
    return [
        each.model_copy(update={"persona_id": f"{each.persona_id}-{seed}", "budget": PersonaBudget()})
        for each in samples()[:PERSONAS]
    ]


def requests(seed: int, of: Sequence[Persona]) -> list[PersonaRequest]:
    return [
        PersonaRequest(
            event_id=f"whole-{seed}-{number}",
            occurred_at=datetime.now(UTC),
            persona_id=of[number % PERSONAS].persona_id,
            brief=f"{of[number % PERSONAS].topics[number // PERSONAS % 3]} {number}",
        )
        for number in range(REQUESTS)
    ]


@dataclass(frozen=True, slots=True)
class Run:
    """A run of this test: the personas are its own, so that what it counts is its own too."""

    stack: Stack
    model: LoopbackOpenAI
    sinks: SinkWorkers
    personas: frozenset[str]
    begun_at: datetime

    async def read(self, *topics: str) -> AsyncIterator[Record]:
        codec = RowCodec(open_registry(None))
        for name in topics:
            async for _, records in read_range(self.stack.cluster, name):
                for record in records:
                    with contextlib.suppress(DecodeFault):  # other tests append garbage
                        found = codec.decode(topic_named(name), record.value)
                        if getattr(found, "persona_id", None) in self.personas:
                            yield found

    def totals(self) -> Found:
        """Return the total of the report on requests; empty while there are no tables."""
        try:
            return self._report("totals")[-1]
        except NoTables:
            return {}

    def reasons(self) -> list[Found]:
        return self._report("why")

    def _report(self, statement: str) -> list[Found]:
        """Run a statement of the report on this run's requests: the tables may hold what earlier tests asked."""
        settings = Settings(home=self.sinks.home, postgres_dsn=SecretStr(self.sinks.dsn))
        return report(settings, statement, {"persona": None, "since": self.begun_at}, file="drafting.sql")

    def is_settled(self) -> bool:
        totals = self.totals()
        return totals.get("requests") == REQUESTS and totals["requests_open"] == 0

    def money_in_postgres(self) -> Money:
        with psycopg.connect(self.sinks.dsn) as connection:
            rows = connection.execute(
                "SELECT persona_id, model, sum(cost_micros) FROM costs WHERE persona_id = ANY(%s) GROUP BY 1, 2",
                (sorted(self.personas),),
            ).fetchall()
        return +Counter({(persona, model): int(micros or 0) for persona, model, micros in rows})

    def money_in_prometheus(self, pairs: Sequence[tuple[str, str]]) -> Money:
        shown = series(self.sinks.home)
        return +Counter(
            {pair: round(MICROS * shown.get(("llm_cost_dollars_total", *sorted(pair)), 0)) for pair in pairs}
        )


async def booked(run: Run) -> list[CostEvent]:
    """Return the distinct bookings of the run's calls; what has one id is one booking."""
    found: dict[str, CostEvent] = {}
    async for event in run.read("cost.events"):
        assert isinstance(event, CostEvent)
        assert found.setdefault(event.event_id, event) == event
    return list(found.values())


async def decisions(run: Run) -> dict[str, set[tuple[str, str]]]:
    """Return for each request its drafts with their decisions."""
    found: dict[str, set[tuple[str, str]]] = {}
    async for event in run.read("drafts.accepted", "drafts.rejected"):
        assert isinstance(event, DraftDecided)
        found.setdefault(event.draft.request_id, set()).add((event.draft.draft_id, event.decision))
    return found


async def spent_micros(run: Run) -> int:
    """Return what the newest sums of spend.totals say was spent."""
    newest = {each.total_id: each async for each in run.read("spend.totals") if isinstance(each, SpendTotal)}
    return sum(sum(each.hour_micros) for each in newest.values())


def billed_micros(bill: Bill, on: datetime) -> int:
    usage = Usage(bill.prompt_tokens, bill.cached_tokens, bill.completion_tokens)
    micros = cost_micros(usage, bill.model, read_prices(), on=on.date())
    assert micros is not None
    return micros


async def until(condition: Callable[[], bool], log: Callable[[], str]) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while True:
        await asyncio.sleep(POLL_S)
        if await asyncio.to_thread(condition):
            return
        assert time.monotonic() < deadline, log()[-3_000:]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run came to; `asked_before_kill` are the calls that had reached the model when the worker was killed."""

    events: list[CostEvent]
    decided: dict[str, set[tuple[str, str]]]
    totals: Found
    reasons: list[Found]
    asked_before_kill: int
    settled_s: float

    @property
    def money(self) -> Money:
        found: Money = Counter()
        for event in self.events:
            found[event.persona_id, event.model] += event.cost_micros or 0
        return +found


async def asked_in_all(model: LoopbackOpenAI, log: Callable[[], str]) -> int:
    """Return how many calls a killed worker made: some are read from their connections after its death."""
    while True:
        await until(lambda: model.in_flight == 0, log)
        asked = len(model.requests)
        await asyncio.sleep(QUIET_S)
        if (model.in_flight, len(model.requests)) == (0, asked):
            return asked


async def outcome_of(run: Run, worker: WorkerProcess) -> Outcome:
    """Kill the worker in the middle, wait until every request is settled and every sum is told, and read it all."""
    await until(lambda: len(run.model.bills) >= KILL_AFTER_CALLS, worker.log)
    worker.kill()
    asked_before_kill = await asked_in_all(run.model, worker.log)
    worker.start()
    restarted_at = time.monotonic()
    await until(run.is_settled, worker.log)
    settled_s = time.monotonic() - restarted_at
    assert worker.stop() == 0, worker.log()[-2_000:]
    await until(lambda: run.model.in_flight == 0, worker.log)
    totals, reasons = await asyncio.to_thread(lambda: (run.totals(), run.reasons()))
    found = Outcome(await booked(run), await decisions(run), totals, reasons, asked_before_kill, settled_s)
    await run.sinks.until(lambda: run.money_in_postgres() == found.money)
    await run.sinks.until(lambda: run.money_in_prometheus(sorted(found.money)) == found.money)
    async with asyncio.timeout(DEADLINE_S):
        while await spent_micros(run) != found.money.total():
            await asyncio.sleep(POLL_S)
    return found


def check_bill(run: Run, outcome: Outcome) -> tuple[int, int]:
    """Hold what was booked to what the model billed; return the answers that the kill cut off, and those too late."""
    bills = run.model.bills
    unbooked = reconciled([each for each in outcome.events if each.step != "embedding"], bills).unbooked
    early = {id(body) for body in run.model.requests[: outcome.asked_before_kill]}
    cut = [bill for bill in unbooked if bill.fault != "slow"]
    assert all(id(bill.body) in early for bill in cut), "an answer that came after the kill was not booked"
    on = datetime.now(UTC)
    for sum_of, found in (
        (lambda bill: bill.prompt_tokens, sum(each.prompt_tokens for each in outcome.events)),
        (lambda bill: bill.completion_tokens, sum(each.completion_tokens for each in outcome.events)),
        (lambda bill: billed_micros(bill, on), outcome.money.total()),
    ):
        assert found == sum(map(sum_of, bills)) - sum(map(sum_of, unbooked)) > 0
    return len(cut), len(unbooked) - len(cut)


@pytest.mark.timeout(450)
async def test_no_request_is_lost_and_every_call_is_booked_once_to_the_micro_dollar(
    stack: Stack, spawn_worker: SpawnWorker, seed: int, begin_fault: BeginFault, tmp_path: Path
) -> None:
    line = begin_fault("a tenth of the calls fail, kill -9 of generation")
    model = LoopbackOpenAI(
        latency_s=0.02, fault_rate=0.1, fault_kinds=FAULTS, fault_seed=seed, slow_s=SLOW_S, retry_after="0.1"
    )
    ours = personas(seed)
    producer = EventProducer(stack.cluster, open_registry(None))
    async with contextlib.AsyncExitStack() as cleanup:
        await producer.start()
        cleanup.push_async_callback(producer.stop)
        await cleanup.enter_async_context(loopback_openai(model))
        roles = ("spend", "sink-postgres", "sink-prometheus")
        sinks = await cleanup.enter_async_context(sink_workers(stack, roles, tmp_path))
        run = Run(stack, model, sinks, frozenset(each.persona_id for each in ours), datetime.now(UTC))
        await producer.append_all([Output("personas", persona_applied(each, datetime.now(UTC))) for each in ours])
        worker = spawn_worker(
            "generation",
            slot="0",
            OPENAI_BASE_URL=model.base_url,
            OPENAI_API_KEY="loopback",
            THREADS_LLM_TIMEOUT_S=str(TIMEOUT_S),
            THREADS_LLM_CONCURRENCY=str(IN_FLIGHT),
            THREADS_BURST_SIZE="1",  # a call's seed names one draft
        )
        await producer.append_all([Output("persona.requests", each) for each in requests(seed, ours)])
        outcome = await outcome_of(run, worker)
        await sinks.stop()
    line.events = REQUESTS
    line.inflicted.update({"kill -9": 1, "failed call": len(model.injected)})
    dead = outcome.totals["requests_dead_lettered"]
    chats = [each for each in outcome.events if each.step != "embedding"]
    unbilled = reconciled(chats, model.bills).unbilled
    line.found(REQUESTS - len(outcome.decided) - dead + len(unbilled), outcome.settled_s)
    assert len(outcome.decided) + dead == REQUESTS
    assert all(len(drafts) == 1 for drafts in outcome.decided.values())
    assert sum(each["count"] for each in outcome.reasons if each["outcome"] == "dead letter") == dead
    assert unbilled == ()
    cut, too_late = check_bill(run, outcome)
    print(  # noqa: T201 - pytest -s shows what the run came to
        f"{outcome.totals}\n{outcome.reasons}\n{len(model.requests)} calls, {len(model.injected)} failed, "
        f"{cut} answers cut off by the kill, {too_late} too late; settled in {outcome.settled_s:.1f} s"
    )
