"""The generate stage: persona.requests -> DraftGraph -> drafts.generated, cost.events and cost.savings."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import ClassVar

from agents.costs.prices import PriceList
from agents.generation.asking.writing import open_writing
from agents.generation.drafting.graph import DraftGraph, DraftOutcome
from agents.generation.kept.batch_jobs import BatchDesk
from agents.generation.kept.calls import CallMemory
from agents.generation.kept.request_book import RequestBook
from agents.generation.model_report import report_models
from agents.generation.partition_work import PartitionWork, WorkContext
from agents.generation.past.past_posts import PastPosts
from agents.generation.scheduler import Job, Scheduler
from agents.generation.settings import GenerationSettings
from agents.generation.stage_readings import generation_readings
from agents.personas.directory import PersonaDirectory
from agents.spend.gate import BudgetGate
from streams.engine.batch import TopicPartition
from streams.engine.readings import Reading
from streams.engine.stage import Effects, LongStage
from streams.errors import Unavailable
from streams.settings import Settings
from streams.wall_clock import utc_now

logger = logging.getLogger(__name__)

SPEND_MAX_AGE_S = 1.0  # what is in flight is not in the spend either: see BudgetGate


class GenerateStage(LongStage[PartitionWork]):
    """Write the drafts that requests ask for, many at once: a slow one holds up no other.

    State, by request: the finished records; the finished calls of one under way, with the persona it began with; the
    request itself where it is parked for its budget or a batch; and the batches. A request that comes again (replay,
    crash, a producer that sends it twice) gets the very same records, faults included, and calls no model; to try
    again, send it with a new event_id. When only some drafts of a request could be written, these go on, and the dead
    letter says which are missing.
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
        budgets: BudgetGate,
        *,
        clock: Callable[[], datetime] = utc_now,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings, self._wanted = settings, settings.of(GenerationSettings)
        self._directory = directory
        self._prices = prices
        self._past = past
        self._budgets = budgets
        self._clock = clock
        self._monotonic = monotonic
        self._parts: dict[TopicPartition, PartitionWork] = {}
        self._rounds: asyncio.Task[None] | None = None

    async def open(self) -> None:
        self._memory = CallMemory(self._clock, self._prices)
        self._writing = await open_writing(self._settings, self._clock, self._monotonic)
        writer = self._writing.writer
        graph = DraftGraph(writer, self._memory, self._past, self._writing.guard)
        self._scheduler = Scheduler(
            graph.write, self._written, self._writing.gate, bound=2 * self._writing.gate.at_once
        )
        self._context = WorkContext(
            directory=self._directory,
            budgets=self._budgets,
            memory=self._memory,
            prices=self._prices,
            scheduler=self._scheduler,
            languages=self._writing.languages,
            most_at_once=writer.most_at_once,
            batch_wait_s=self._wanted.batch_wait_s if self._writing.desk else None,
            clock=self._clock,
        )
        await self._report_models()
        if self._writing.desk is not None:
            self._rounds = asyncio.create_task(self._batch_rounds(self._writing.desk))

    async def _report_models(self) -> None:
        tiers = self._writing.tiers
        if tiers is None:
            return
        try:
            await self._directory.refresh()
        except Unavailable as error:
            logger.warning("The models of personas are not looked at: %s", error)
        personas = [each.persona for each in self._directory.known()]
        await report_models(self._writing.client, tiers, personas, self._prices, self._clock().date())

    async def take(self, source: TopicPartition, state: Iterable[tuple[bytes, bytes]]) -> PartitionWork:
        part = PartitionWork(source, RequestBook(state, self._memory), self._context, self._parts.pop)
        self._parts[source] = part
        return part

    async def room(self) -> None:
        await self._scheduler.room()

    async def catch_up(self) -> None:
        await asyncio.gather(
            self._directory.refresh(), self._past.refresh(), self._budgets.refresh(max_age_s=SPEND_MAX_AGE_S)
        )

    def _written(self, job: Job, outcomes: Sequence[DraftOutcome]) -> None:
        self._parts[job.source].written(job.burst, outcomes)

    async def _go_on_with_parked(self) -> None:
        """Go on with the parked requests whose time has come, or park them anew."""
        now = self._clock()
        due = [(part, each) for part in self._parts.values() for each in part.book.due(now)]
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

    async def _batch_rounds(self, desk: BatchDesk) -> None:
        """Take the batch jobs of every partition further, on and on."""
        try:
            while True:
                await asyncio.sleep(self._wanted.batch_poll_s)
                parts = [part for part in self._parts.values() if part.book.has_batches]
                if parts and not self._writing.gate.is_shut and await self._caught_up():
                    for part in parts:
                        await desk.advance(part)
        except Exception as error:  # noqa: BLE001 - whatever it is, it ends the worker
            self._scheduler.fail(error)

    def idle_flush_due(self, parts: Collection[PartitionWork]) -> bool:
        """Tell whether something was finished, or a parked request may go on."""
        desk = self._writing.desk
        if self._has_news() or self._scheduler.is_broken:
            return True
        if desk is not None and desk.waits_for_checkpoint:
            return True
        now = self._clock()
        return any(part.book.due(now) for part in parts)

    def _has_news(self) -> bool:
        return self._memory.has_news or any(part.has_effects for part in self._parts.values())

    async def flush(self, parts: Mapping[TopicPartition, PartitionWork]) -> Mapping[TopicPartition, Effects]:
        """Return what came about; what ends the worker is raised when all that was answered before it is durable."""
        if self._scheduler.is_broken:
            if not self._has_news():
                self._scheduler.check()
        else:
            await self._go_on_with_parked()
        if self._writing.desk is not None:
            self._writing.desk.flushed()
        news = sorted(self._memory.take_news())
        return {source: part.take_effects(news) for source, part in parts.items()}

    def readings(self) -> Iterable[Reading]:
        """Return what is under way, waiting and parked, and the state of every model's breaker."""
        books = [part.book for part in self._parts.values()]
        return generation_readings(self._scheduler.load, books, self._writing.caller.readings(), self._clock())

    async def drain(self, within_s: float) -> bool:
        """Take the answers of calls under way and begin no other: what is paid for is kept at the checkpoint."""
        await self._scheduler.settle(within_s)
        return self._has_news() or (self.idle_flush_due(self._parts.values()) and not self._scheduler.is_broken)

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
        await self._directory.close()
