"""The work on one partition's requests: what is begun, parked, resumed and told, and what of it has to be kept."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from agents.costs.prices import PriceList
from agents.generation.asking.batch_lines import calls_in, unused_cost
from agents.generation.asking.call_memory import CallMemory
from agents.generation.asking.calls import call_id
from agents.generation.assignment import Assignment, Burst, assignments_of, bursts_of
from agents.generation.drafting.outcome import DraftOutcome
from agents.generation.kept.finished import FinishedRequest
from agents.generation.kept.parked import ParkedRequest
from agents.generation.kept.request_book import Change, RequestBook, RequestWork
from agents.generation.scheduler import Job, Scheduler
from agents.llm.answers.reply import Reply
from agents.personas.directory import PersonaDirectory
from agents.spend.gate import BudgetGate
from schemas.records import PersonaRequest
from streams.engine.batch import RowBatch, TopicPartition
from streams.engine.dead_letters import dead_letter
from streams.engine.stage import Effects, LongPart, Output, Rejection
from streams.errors import RecordFault

logger = logging.getLogger(__name__)

CONSUMER = "generation"  # as the role's dead letters name it


@dataclass(frozen=True, slots=True)
class WorkContext:
    """What all partitions share. `languages` are those that the model writes, None any.

    `batch_wait_s` is how long a request may wait for others to make a batch; None where the provider has no batches.
    """

    directory: PersonaDirectory
    budgets: BudgetGate
    memory: CallMemory
    prices: PriceList
    scheduler: Scheduler
    languages: tuple[str, ...] | None
    most_at_once: int
    batch_wait_s: float | None
    clock: Callable[[], datetime]


@dataclass(frozen=True, slots=True)
class _ParkedRecord:
    """A parked request as the record it was, without its bytes."""

    offset: int
    timestamp: int
    key: bytes | None = None
    value: bytes | None = None
    headers: Sequence[tuple[str, bytes | None]] = ()


class PartitionWork(LongPart[RowBatch[PersonaRequest]]):
    """The requests of one partition under way, and their effects since the last flush."""

    def __init__(
        self,
        source: TopicPartition,
        book: RequestBook,
        context: WorkContext,
        on_leave: Callable[[TopicPartition], object],
    ) -> None:
        self.source = source
        self._on_leave = on_leave
        self.book = book
        self._context = context
        self._effects = Effects()
        self._is_gone = False
        for request_id in book.ended:
            finished = book.finished(request_id)
            assert finished is not None
            self._tell(finished)
            self._tell_fault_of_parked(book.parked_request(request_id), finished)

    @property
    def has_effects(self) -> bool:
        """Tell whether there is something to make durable."""
        effects = self._effects
        return bool(effects.changes or effects.outputs or effects.rejections) or self.book.has_ended

    def take_effects(self, with_news_of: Sequence[str]) -> Effects:
        """Return the effects since the last time, and before them the finished calls of these requests.

        Calls come first: what ends a batch must not be durable before what the batch has answered.
        """
        taken, self._effects = self._effects, Effects()
        calls = [change for request_id in with_news_of for change in self.book.calls_to_keep(request_id)]
        let_go = self.book.flushed()
        taken.changes = [*calls, *taken.changes, *let_go]
        return taken

    async def leave(self) -> None:
        """Give the partition up: its bursts are broken off, and nothing more of it is kept or told."""
        await self._context.scheduler.drop(self.source)
        self._is_gone = True
        self.book.forget()
        self._on_leave(self.source)

    def unfinished(self) -> int | None:
        return self.book.unfinished()

    async def add(self, batch: RowBatch[PersonaRequest]) -> Sequence[Rejection]:
        """Begin what the requests ask for; return those that can't be written."""
        assignments: list[Assignment] = []
        refused: list[Rejection] = []
        for row in batch.rows:
            try:
                assignments += self._taken(row.offset, row.record)
            except RecordFault as fault:
                refused.append(Rejection(row.offset, fault))
        self._begin(assignments)
        return refused

    def _taken(self, offset: int, request: PersonaRequest) -> Sequence[Assignment]:
        finished = self.book.finished(request.event_id)
        if finished is not None:
            self._tell(finished)
            fault = _fault_of(finished)
            if fault is not None:
                raise fault
        elif self.book.work(request.event_id) is not None:
            self.book.join(request.event_id, offset)
        elif not self.book.is_parked(request.event_id):
            return self._admitted(request, offset, [offset])
        return ()

    def _admitted(self, request: PersonaRequest, offset: int, offsets: list[int]) -> Sequence[Assignment]:
        """Return what is to be written now for a request; park one that waits for a batch, or is over its budget."""
        context, now = self._context, self._context.clock()
        applied = self.book.begun_with(request.event_id) or context.directory.require(request.persona_id)
        level = context.budgets.level(applied.persona, now)
        is_downgraded = level.kind == "downgrade"
        assignments = assignments_of(request, applied, context.languages, downgraded=is_downgraded)
        is_paid = bool(context.memory.of(request.event_id))  # by a batch, or before a crash: the rest of it is little
        if request.deadline == "tomorrow" and context.batch_wait_s is not None and offsets and not is_paid:
            until = now + timedelta(seconds=context.batch_wait_s)
            self.keep(self.book.park(ParkedRequest(request, offset, until, "waits for a batch", for_batch=True)))
            return ()
        if level.kind == "pause" and level.until is not None and not is_paid:
            self.keep(self.book.park(ParkedRequest(request, offset, level.until, level.reason)))
            return ()
        self.book.begin(request.event_id, RequestWork(offset, applied, len(assignments), now, offsets))
        return assignments

    def _begin(self, assignments: Sequence[Assignment]) -> None:
        for burst in bursts_of(assignments, self._context.most_at_once):
            self._context.scheduler.begin(Job(self.source, burst))

    def assignments_of_parked(self, parked: ParkedRequest) -> Sequence[Assignment]:
        """Return the drafts that a parked request asks for; raises the `RecordFault` of one that can't be written."""
        applied = self._context.directory.require(parked.request.persona_id)
        return assignments_of(parked.request, applied, self._context.languages)

    def go_on(self, parked: ParkedRequest, reply: Reply | None = None) -> None:
        """Write a parked request, from the answer of its batch where there is one."""
        if self._is_gone:
            return
        request, context = parked.request, self._context
        try:
            if reply is not None:
                paid = calls_in(reply, self.assignments_of_parked(parked), context.clock(), context.prices)
                for assignment, call in paid:
                    context.memory.remember(assignment, call_id(assignment, call.step, call.attempt), call)
            assignments = self._admitted(request, parked.offset, [])
        except RecordFault as fault:
            costs = () if reply is None else (unused_cost(reply, request, context.clock(), context.prices),)
            self.keep(self.book.give_up(parked, str(fault), costs))
            self._effects.outputs += [Output("cost.events", cost) for cost in costs]
            self._send_letter(parked, fault)
        else:
            self._begin(assignments)

    def written(self, burst: Burst, outcomes: Sequence[DraftOutcome]) -> None:
        """Take what came of a burst; tell of the requests that it completes."""
        for assignment, outcome in zip(burst, outcomes, strict=True):
            work = self.book.work(assignment.request_id)
            assert work is not None, "a burst of a request that is not under way"
            work.outcomes[assignment.number] = outcome
            if work.is_complete:
                self._finish(assignment.request_id, work.offsets)

    def _finish(self, request_id: str, offsets: Sequence[int]) -> None:
        finished, changes = self.book.finish(request_id)
        self.keep(changes)
        self._tell(finished)
        fault = _fault_of(finished)
        if fault is None:
            return
        if self.book.is_parked(request_id):
            self._send_letter(self.book.parked_request(request_id), fault)
        self._effects.rejections += [Rejection(offset, fault) for offset in offsets]

    def _tell_fault_of_parked(self, parked: ParkedRequest, finished: FinishedRequest) -> None:
        fault = _fault_of(finished)
        if fault is not None:
            self._send_letter(parked, fault)

    def _send_letter(self, parked: ParkedRequest, fault: RecordFault) -> None:
        """Dead-letter a request that was parked: its offset is committed, so its bytes are in its topic alone."""
        record = _ParkedRecord(parked.offset, int(parked.request.occurred_at.timestamp() * 1000))
        now = self._context.clock()
        letter = dead_letter(CONSUMER, self.source, record, fault, now=now, max_bytes=0)
        self._effects.outputs.append(letter)
        logger.warning("Request %s, which was parked, came to nothing: %s", parked.request.event_id, fault)

    def _tell(self, finished: FinishedRequest) -> None:
        outputs = self._effects.outputs
        outputs += [Output("drafts.generated", draft) for draft in finished.drafts]
        outputs += [Output("cost.events", cost) for cost in finished.costs]
        outputs += [Output("cost.savings", saving) for saving in finished.savings]

    def keep(self, changes: Sequence[Change]) -> None:
        """Make changes of the book part of the state, unless the partition is gone."""
        if not self._is_gone:
            self._effects.changes += changes


def _fault_of(finished: FinishedRequest) -> RecordFault | None:
    if not finished.faults:
        return None
    written, missing = len(finished.drafts), "; ".join(finished.faults)
    return RecordFault(f"{written} drafts were written and sent on, {len(finished.faults)} could not be: {missing}")
