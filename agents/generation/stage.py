"""The generate stage: persona.requests -> admission -> DraftGraph -> drafts.generated, cost.events, cost.savings."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import ClassVar, get_args

from agents.costs.prices import PriceList
from agents.generation.admission import Admission
from agents.generation.asking.calls import CallMemory
from agents.generation.asking.writer import PastPosts
from agents.generation.batch_jobs import BatchJobs, BatchTerms
from agents.generation.choices import HookJudge, StyleChoices
from agents.generation.drafting.draft_work import DraftOutcome
from agents.generation.drafting.graph import DraftGraph
from agents.generation.kept.entries import owner_of
from agents.generation.metrics import (
    GENERATION_BOUND,
    GENERATION_OLDEST,
    GENERATION_PARKED,
    GENERATION_UNDER_WAY,
    GENERATION_WAITING,
)
from agents.generation.partition_work import PartitionWork, WorkContext
from agents.generation.request_ends import RequestEnds
from agents.generation.scheduler import Job, Load, Scheduler
from agents.generation.settings import GenerationSettings
from agents.generation.writing import open_writing, report_models
from agents.llm.faults.faults import WaitReason
from agents.llm.metrics import LLM_BREAKER_STATE, LLM_WAITS
from agents.llm.model_breaker import BreakerReading
from agents.personas.directory import PersonaDirectory
from agents.spend.budgets import Budgets
from streams.engine.batch import TopicPartition
from streams.engine.readings import Reading, breaker_readings
from streams.engine.stage import Effects, LongStage
from streams.errors import Unavailable
from streams.settings import Settings
from streams.wall_clock import utc_now

logger = logging.getLogger(__name__)


class GenerateStage(LongStage[PartitionWork]):
    """Write the drafts that requests ask for, many at once: a slow one holds up no other.

    Reads: persona.requests; besides, the personas in force, what was spent, what hook styles are worth, and the posts
    of the past.
    Writes: drafts.generated, cost.events and cost.savings; dead.letters, by rejections and for parked requests.
    Decides: `Admission.decide` on a request, `DraftGraph.write` on a draft, `Scheduler.begin` when it is written.
    State: `kept/entries.py`, by request.

    A request that comes again (replay, crash, a producer that sends it twice) gets the very same records, faults
    included, and calls no model; to try again, send it with a new event_id. When only some drafts of a request could be
    written, these go on, and the dead letter says which are missing.
    """

    name: ClassVar[str] = "generate"
    topics: ClassVar[tuple[str, ...]] = ("persona.requests",)
    stateful: ClassVar[bool] = True

    def __init__(
        self,
        settings: Settings,
        directory: PersonaDirectory,
        prices: PriceList,
        past: PastPosts,
        budgets: Budgets,
        *,
        styles: StyleChoices | None = None,
        judge: HookJudge | None = None,
        clock: Callable[[], datetime] = utc_now,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings, self._wanted = settings, settings.of(GenerationSettings)
        self._directory = directory
        self._prices = prices
        self._past = past
        self._budgets = budgets
        self._styles = styles
        self._judge = judge
        self._clock = clock
        self._monotonic = monotonic
        self._ends = RequestEnds(self._wanted.request_time_s)
        self._parts: dict[TopicPartition, PartitionWork] = {}
        self._batch_jobs: BatchJobs | None = None
        self._rounds: asyncio.Task[None] | None = None

    async def open(self) -> None:
        wanted, writing = self._wanted, await open_writing(self._settings, self._monotonic)
        self._writing = writing
        self._memory = CallMemory(self._clock, self._prices)
        graph = DraftGraph(writing.writer, self._memory, self._past, writing.guard, self._judge)
        self._scheduler = Scheduler(graph.write, self._written, writing.gate, bound=2 * writing.gate.at_once)
        batch_wait_s = None if writing.batches is None else wanted.batch_wait_s
        steered = self._styles if writing.tiers is not None else None  # the embedded model continues examples
        self._admission = Admission(self._directory, self._budgets, writing.languages, batch_wait_s, steered)
        if writing.tiers is None:
            return
        await report_models(writing.client, writing.tiers, self._directory, self._prices, self._clock().date())
        if writing.batches is not None:
            terms = BatchTerms(wanted.batch_size, wanted.instruction_tokens)
            self._batch_jobs = BatchJobs(writing.batches, writing.tiers, self._admission, terms, self._clock)
            self._rounds = asyncio.create_task(self._batch_rounds(self._batch_jobs))

    def owner_of(self, key: bytes, value: bytes) -> str | None:
        """Return the persona of a request."""
        return owner_of(key, value)

    async def take(self, source: TopicPartition, state: Iterable[tuple[bytes, bytes]]) -> PartitionWork:
        context = WorkContext(
            self._admission,
            self._memory,
            self._prices,
            self._scheduler,
            self._writing.writer.most_at_once,
            self._clock,
            self._ends,
        )
        part = PartitionWork(source, state, context, self._parts.pop)
        self._parts[source] = part
        return part

    async def room(self) -> None:
        await self._scheduler.room()

    async def catch_up(self) -> None:
        await asyncio.gather(self._admission.catch_up(), self._past.refresh())

    def _written(self, job: Job, outcomes: Sequence[DraftOutcome]) -> None:
        self._parts[job.source].written(job.burst, outcomes)

    async def _go_on_with_parked(self) -> None:
        """Go on with the parked requests whose time has come, or park them anew."""
        now = self._clock()
        due = [(part, each) for part in self._parts.values() for each in part.due(now)]
        if due and await self._caught_up():
            for part, parked in due:
                part.go_on(parked)

    async def _caught_up(self) -> bool:
        """Catch up for parked requests; False where that can't be done, and they wait on."""
        try:
            await self.catch_up()
        except Unavailable as error:
            logger.warning("Parked requests wait on: %s", error)
            return False
        return True

    async def _batch_rounds(self, jobs: BatchJobs) -> None:
        """Take the batch jobs of every partition further, on and on."""
        try:
            while True:
                await asyncio.sleep(self._wanted.batch_poll_s)
                parts = [part for part in self._parts.values() if part.batches.has_any]
                if parts and not self._writing.gate.is_shut and await self._caught_up():
                    for part in parts:
                        await jobs.advance(part)
        except Exception as error:  # noqa: BLE001 - whatever it is, it ends the worker
            self._scheduler.fail(error)

    def idle_flush_due(self, parts: Collection[PartitionWork]) -> bool:
        """Tell whether something was finished, or a parked request may go on."""
        if self._has_effects() or self._scheduler.is_broken:
            return True
        if self._batch_jobs is not None and self._batch_jobs.waits_for_checkpoint:
            return True
        now = self._clock()
        return any(part.due(now) for part in parts)

    def _has_effects(self) -> bool:
        return self._memory.has_unkept or any(part.has_effects for part in self._parts.values())

    async def flush(self, parts: Mapping[TopicPartition, PartitionWork]) -> Mapping[TopicPartition, Effects]:
        """Return what came about; what ends the worker is raised when all that was answered before it is durable."""
        if self._scheduler.is_broken:
            if not self._has_effects():
                self._scheduler.check()
        else:
            await self._go_on_with_parked()
        if self._batch_jobs is not None:
            self._batch_jobs.flushed()
        with_calls = sorted(self._memory.take_unkept())
        return {source: part.take_effects(with_calls) for source, part in parts.items()}

    def readings(self) -> Iterable[Reading]:
        """Return what is under way, waiting and parked, how requests ended, and the state of every model's breaker."""
        breakers = self._writing.caller.readings()
        yield from generation_readings(self._scheduler.load, self._parts.values(), breakers, self._clock())
        yield from self._ends.readings()

    async def drain(self, within_s: float) -> bool:
        """Take the answers of calls under way and begin no other: what is paid for is kept at the checkpoint."""
        await self._scheduler.drain(within_s)
        return self._has_effects() or (self.idle_flush_due(self._parts.values()) and not self._scheduler.is_broken)

    def resume(self) -> None:
        self._scheduler.resume()

    async def close(self) -> None:
        if self._rounds is not None:
            self._rounds.cancel()
            await asyncio.gather(self._rounds, return_exceptions=True)
        for part in list(self._parts.values()):
            await part.leave()
        await self._writing.close()
        await self._past.close()
        await self._budgets.close()
        if self._styles is not None:
            await self._styles.close()
        await self._directory.close()


def generation_readings(
    load: Load, parts: Iterable[PartitionWork], breakers: Iterable[BreakerReading], now: datetime
) -> Iterator[Reading]:
    """Yield the readings; the oldest age is that of the request which has been under way longest, 0 where none is."""
    begun, parked = [], 0
    for part in parts:
        parked += part.parked_count
        oldest = part.oldest()
        if oldest is not None:
            begun.append(oldest)
    age_s = max((now - min(begun)).total_seconds(), 0.0) if begun else 0.0
    yield Reading(GENERATION_BOUND, (), load.bound)
    yield Reading(GENERATION_UNDER_WAY, (), load.under_way)
    yield Reading(GENERATION_WAITING, (), load.waiting)
    yield Reading(GENERATION_OLDEST, (), age_s)
    yield Reading(GENERATION_PARKED, (), parked)
    for breaker in breakers:
        yield from breaker_readings(LLM_BREAKER_STATE, (breaker.model,), breaker.state)
        for reason in get_args(WaitReason):
            waits = breaker.state != "closed" and breaker.reason == reason
            yield Reading(LLM_WAITS, (breaker.model, reason), float(waits))
