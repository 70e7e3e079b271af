"""The generate stage: persona.requests -> DraftGraph -> drafts.generated, cost.events and cost.savings."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import ClassVar

from agents.costs.prices import PriceList
from agents.generation.assignment import Assignment, assignments_of
from agents.generation.burst import bursts_of
from agents.generation.calls import CallMemory
from agents.generation.finished import FinishedRequest
from agents.generation.graph import DraftGraph, DraftOutcome
from agents.generation.parked import ParkedRequest
from agents.generation.past_posts import PastPosts
from agents.generation.request_book import Change, RequestBook, RequestWork
from agents.generation.scheduler import Job, Scheduler
from agents.generation.writing import Writing, open_writing
from agents.pending_effects import PendingEffects
from agents.personas.directory import PersonaDirectory
from agents.spend.gate import BudgetGate
from schemas.records import PersonaRequest
from streams.engine.batch import Batch, Row, RowBatch, TopicPartition
from streams.engine.stage import Effects, Output, Rejection, Stage, StateChange
from streams.errors import RecordFault, Unavailable
from streams.settings import Settings
from streams.wall_clock import utc_now

logger = logging.getLogger(__name__)


class GenerateStage(Stage):
    """Write the drafts that requests ask for, many at once: a slow one holds up no other.

    State, by request: the finished records; the finished calls of one under way, with the persona it began with; and
    the request itself where it is parked for its budget. A request that comes again (replay, crash, a producer that
    sends it twice) gets the very same records, faults included, and calls no model; to try again, send it with a new
    event_id. When only some drafts of a request could be written, these go on, and the dead letter says which are
    missing.
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
    ) -> None:
        self._settings = settings
        self._directory = directory
        self._prices = prices
        self._past = past
        self._budgets = budgets
        self._clock = clock
        self._books: dict[TopicPartition, RequestBook] = {}
        self._pending = PendingEffects()

    async def open(self) -> None:
        self._memory = CallMemory(self._clock, self._prices)
        self._writing: Writing = await open_writing(self._settings)
        graph = DraftGraph(self._writing.writer, self._memory, self._past, self._writing.guard)
        self._scheduler = Scheduler(graph.write, self._written, bound=2 * self._writing.calls_at_once)

    async def restore(self, source: TopicPartition, state: Iterable[tuple[bytes, bytes]]) -> None:
        self._books[source] = RequestBook(state, self._memory)

    async def room(self) -> None:
        await self._scheduler.room()

    async def add(self, batch: Batch) -> Sequence[Rejection]:
        assert isinstance(batch, RowBatch)
        await self._directory.refresh()
        await self._past.refresh()
        await self._budgets.refresh()
        assignments: list[Assignment] = []
        refused: list[Rejection] = []
        for row in batch.rows:
            try:
                assignments += self._taken(batch.source, row)
            except RecordFault as fault:
                refused.append(Rejection(row.offset, fault))
        self._begin(batch.source, assignments)
        return refused

    def _taken(self, source: TopicPartition, row: Row) -> tuple[Assignment, ...]:
        """Return what is to be written for a record; raises the fault of one that can't be."""
        book, request = self._books[source], _request(row)
        finished = book.finished(request.event_id)
        if finished is not None:
            self._tell(source, finished)
            fault = _fault_of(finished)
            if fault is not None:
                raise fault
        elif book.work(request.event_id) is not None:
            book.join(request.event_id, row.offset)
        elif not book.is_parked(request.event_id):
            return self._admitted(source, request, row.offset, [row.offset])
        return ()

    def _admitted(
        self, source: TopicPartition, request: PersonaRequest, offset: int, offsets: list[int]
    ) -> tuple[Assignment, ...]:
        """Return what is to be written for a request within its budgets; park one that is over."""
        book = self._books[source]
        applied = book.begun_with(request.event_id) or self._directory.require(request.persona_id)
        level = self._budgets.level(applied.persona, self._clock())
        assignments = assignments_of(request, applied, self._writing.languages, downgraded=level.kind == "downgrade")
        if level.kind == "pause" and level.until is not None:
            self._keep(source, book.park(ParkedRequest(request, offset, level.until, level.reason)))
            return ()
        book.begin(request.event_id, RequestWork(offset, applied, len(assignments), self._clock(), offsets))
        return assignments

    def _begin(self, source: TopicPartition, assignments: Sequence[Assignment]) -> None:
        for burst in bursts_of(assignments, self._writing.writer.most_at_once):
            self._scheduler.begin(Job(source, burst))

    def _written(self, job: Job, outcomes: Sequence[DraftOutcome]) -> None:
        book = self._books[job.source]
        for assignment, outcome in zip(job.burst, outcomes, strict=True):
            work = book.work(assignment.request_id)
            assert work is not None
            work.outcomes[assignment.number] = outcome
            if work.is_complete:
                self._finish(job.source, assignment.request_id, work.offsets)

    def _finish(self, source: TopicPartition, request_id: str, offsets: Sequence[int]) -> None:
        finished, changes = self._books[source].finish(request_id)
        self._keep(source, changes)
        self._tell(source, finished)
        fault = _fault_of(finished)
        if fault is not None:
            if not offsets:
                logger.warning("Request %s, which was parked, came to nothing: %s", request_id, fault)
            rejections = self._pending.of(source).rejections.setdefault(source, [])
            rejections += [Rejection(offset, fault) for offset in offsets]

    def _tell(self, source: TopicPartition, finished: FinishedRequest) -> None:
        outputs = self._pending.of(source).outputs
        outputs += [Output("drafts.generated", draft) for draft in finished.drafts]
        outputs += [Output("cost.events", cost) for cost in finished.costs]
        outputs += [Output("cost.savings", saving) for saving in finished.savings]

    def _keep(self, source: TopicPartition, changes: Sequence[Change]) -> None:
        self._pending.of(source).state += [StateChange(source, key, value) for key, value in changes]

    async def _resume(self) -> None:
        """Go on with the parked requests whose time has come, or park them anew."""
        now = self._clock()
        due = [(source, each) for source, book in self._books.items() for each in book.parked() if each.until <= now]
        if not due:
            return
        try:
            await self._directory.refresh()
            await self._budgets.refresh()
        except Unavailable as error:
            logger.warning("Parked requests wait on: %s", error)
            return
        for source, parked in due:
            try:
                assignments = self._admitted(source, parked.request, parked.offset, [])
            except RecordFault as fault:
                logger.warning("Request %s, which was parked, came to nothing: %s", parked.request.event_id, fault)
                self._keep(source, self._books[source].give_up(parked, str(fault)))
            else:
                self._begin(source, assignments)

    def unfinished(self, source: TopicPartition) -> int | None:
        book = self._books.get(source)
        return book.unfinished() if book else None

    def idle_flush_due(self) -> bool:
        """Tell whether something was finished, or a parked request may go on."""
        if self._pending or self._memory.has_news or self._scheduler.is_broken:
            return True
        now = self._clock()
        return any(each.until <= now for book in self._books.values() for each in book.parked())

    async def flush(self) -> Effects:
        self._scheduler.check()
        await self._resume()
        news = self._memory.take_news()
        for source, book in self._books.items():
            for request_id in sorted(news):
                self._keep(source, book.calls_to_keep(request_id))
        return self._pending.take()

    async def drop(self, source: TopicPartition) -> None:
        await self._scheduler.drop(source)
        book = self._books.pop(source, None)
        if book is not None:
            book.forget()
        self._pending.drop(source)

    async def close(self) -> None:
        for source in list(self._books):
            await self.drop(source)
        await self._writing.close()
        await self._past.close()
        await self._budgets.close()
        await self._directory.close()


def _fault_of(finished: FinishedRequest) -> RecordFault | None:
    if not finished.faults:
        return None
    written, missing = len(finished.drafts), "; ".join(finished.faults)
    return RecordFault(f"{written} drafts were written and sent on, {len(finished.faults)} could not be: {missing}")


def _request(row: Row) -> PersonaRequest:
    assert isinstance(row.record, PersonaRequest)
    return row.record
