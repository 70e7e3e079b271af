"""The work on one partition's requests: what is begun, parked, resumed and emitted, and what of it has to be kept."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from agents.costs.prices import PriceList
from agents.generation.admission import Admission, Postponed
from agents.generation.asking.calls import CallMemory, call_id
from agents.generation.asking.chat_writer import calls_in, unused_cost
from agents.generation.assignment import Assignment, Burst, bursts_of
from agents.generation.drafting.draft_work import DraftOutcome
from agents.generation.kept.entries import ParkedRequest
from agents.generation.kept.request_book import BatchBook, RequestBook, RequestWork
from agents.generation.request_ends import RequestEnds
from agents.generation.scheduler import Job, Scheduler
from agents.llm.answers.reply import Reply
from schemas.records import PersonaRequest
from streams.engine.batch import RowBatch, TopicPartition
from streams.engine.stage import Change, Effects, LongPart, Output, Rejection
from streams.errors import RecordFault

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class WorkContext:
    """What all partitions share; `most_at_once` is the greatest burst."""

    admission: Admission
    memory: CallMemory
    prices: PriceList
    scheduler: Scheduler
    most_at_once: int
    clock: Callable[[], datetime]
    ends: RequestEnds


class PartitionWork(LongPart[RowBatch[PersonaRequest]]):
    """The requests of one partition under way, and their effects since the last flush.

    A record comes in by `add`, a parked request by `go_on`; both ask the admission, and what is admitted is begun. The
    scheduler hands back what came of it to `written`, which emits the requests that are complete.
    """

    def __init__(
        self,
        source: TopicPartition,
        state: Iterable[tuple[bytes, bytes]],
        context: WorkContext,
        on_leave: Callable[[TopicPartition], object],
    ) -> None:
        entries = list(state)
        self.source = source
        self._on_leave = on_leave
        self._context = context
        self._effects = Effects()
        self._is_gone = False
        self._book = RequestBook(entries, context.memory)
        self.batches = BatchBook(entries, self._book, self._keep)
        for request_id in self._book.ended:
            self._emit(request_id)

    async def add(self, batch: RowBatch[PersonaRequest]) -> Sequence[Rejection]:
        """Begin what the requests ask for; return those that can't be written."""
        assignments: list[Assignment] = []
        refused: list[Rejection] = []
        for row in batch.rows:
            try:
                assignments += self._received(row.offset, row.record)
            except RecordFault as fault:
                refused.append(Rejection(row.offset, fault))
                if self._book.finished(row.record.event_id) is None:
                    self._context.ends.dead_lettered()
        self._begin(assignments)
        return refused

    def _received(self, offset: int, request: PersonaRequest) -> Sequence[Assignment]:
        """Return the drafts to begin for a record; one that came before gets what it came to, or joins the work."""
        request_id = request.event_id
        finished = self._book.finished(request_id)
        if finished is not None:
            self._effects.outputs += finished.outputs()
            fault = finished.fault()
            if fault is not None:
                raise fault
        elif self._book.work(request_id) is not None:
            self._book.join(request_id, offset)
        elif not self._book.is_parked(request_id):
            return self._admitted(request, offset, is_new=True)
        return ()

    def _admitted(self, request: PersonaRequest, offset: int, *, is_new: bool) -> Sequence[Assignment]:
        """Return the drafts to begin for a request; park one that is postponed. No offset waits for one not new."""
        context, request_id, now = self._context, request.event_id, self._context.clock()
        decision = context.admission.decide(
            request,
            now,
            begun_with=self._book.begun_with(request_id),
            chosen=self._book.chosen(request_id),
            is_paid=bool(context.memory.of(request_id)),
            is_new=is_new,
        )
        if isinstance(decision, Postponed):
            parked = ParkedRequest(
                request, offset, decision.until, decision.reason, decision.for_batch, decision.choices
            )
            self._keep(self._book.park(parked))
            return ()
        drafts = decision.assignments
        choices = tuple(each.choice for each in drafts)
        work = RequestWork(offset, decision.applied, len(drafts), now, choices=choices)
        if is_new:
            work.offsets, work.requested_at = [offset], request.occurred_at
        self._book.begin(request_id, work)
        return drafts

    def _begin(self, assignments: Sequence[Assignment]) -> None:
        for burst in bursts_of(assignments, self._context.most_at_once):
            self._context.scheduler.begin(Job(self.source, burst))

    def due(self, now: datetime) -> list[ParkedRequest]:
        """Return the parked requests that may go on: those whose time has come, and those whose batch has answered."""
        return self._book.due(now)

    def go_on(self, parked: ParkedRequest, reply: Reply | None = None) -> None:
        """Write a parked request, from the answer of its batch where there is one."""
        if self._is_gone:
            return
        try:
            if reply is not None:
                self._take_over(parked, reply)
            assignments = self._admitted(parked.request, parked.offset, is_new=False)
        except RecordFault as fault:
            self._give_up(parked, fault, reply)
        else:
            self._begin(assignments)

    def _take_over(self, parked: ParkedRequest, reply: Reply) -> None:
        """Remember what a batch answered as finished calls of the request's drafts."""
        context = self._context
        assignments = context.admission.assignments(parked.request, parked.choices)
        for assignment, call in calls_in(reply, assignments, context.clock(), context.prices):
            context.memory.remember(assignment, call_id(assignment, call.step, call.attempt), call)

    def _give_up(self, parked: ParkedRequest, fault: RecordFault, reply: Reply | None) -> None:
        """Finish a parked request that can't be written any more; an answer that came for it is paid for."""
        context, request = self._context, parked.request
        costs = () if reply is None else (unused_cost(reply, request, context.clock(), context.prices),)
        context.ends.dead_lettered()
        self._keep(self._book.give_up(parked, str(fault), costs))
        self._effects.outputs += [Output("cost.events", cost) for cost in costs]
        self._send_letter(parked, fault)

    def written(self, burst: Burst, outcomes: Sequence[DraftOutcome]) -> None:
        """Take what came of a burst; emit the requests that it completes."""
        for assignment, outcome in zip(burst, outcomes, strict=True):
            work = self._book.work(assignment.request_id)
            assert work is not None, "a burst of a request that is not under way"
            work.outcomes[assignment.number] = outcome
            if work.is_complete:
                self._finish(assignment.request_id, work)

    def _finish(self, request_id: str, work: RequestWork) -> None:
        finished, changes = self._book.finish(request_id)
        self._keep(changes)
        if finished.faults:
            self._context.ends.dead_lettered()
        else:
            self._context.ends.written(work.requested_at, self._context.clock())
        self._emit(request_id, work.offsets)

    def _emit(self, request_id: str, offsets: Sequence[int] = ()) -> None:
        """Send on what came of a request; where drafts are missing, reject its offsets, or dead-letter a parked one."""
        finished, parked = self._book.finished(request_id), self._book.parked_request(request_id)
        assert finished is not None
        self._effects.outputs += finished.outputs()
        fault = finished.fault()
        if fault is not None:
            if parked is not None:
                self._send_letter(parked, fault)
            self._effects.rejections += [Rejection(offset, fault) for offset in offsets]

    def _send_letter(self, parked: ParkedRequest, fault: RecordFault) -> None:
        self._effects.outputs.append(parked.letter(self.source, fault, self._context.clock()))
        logger.warning("Request %s, which was parked, came to nothing: %s", parked.request.event_id, fault)

    def _keep(self, changes: Iterable[Change]) -> None:
        self._effects.changes += changes

    @property
    def has_effects(self) -> bool:
        """Tell whether there is something to make durable."""
        effects = self._effects
        return bool(effects.changes or effects.outputs or effects.rejections) or self._book.has_ended

    def take_effects(self, with_calls_of: Sequence[str]) -> Effects:
        """Return the effects since the last time, and before them the finished calls of these requests.

        Calls come first: what ends a batch must not be durable before what the batch has answered.
        """
        taken, self._effects = self._effects, Effects()
        calls = [change for request_id in with_calls_of for change in self._book.calls_to_keep(request_id)]
        taken.changes = [*calls, *taken.changes, *self._book.flushed()]
        return taken

    def unfinished(self) -> int | None:
        return self._book.unfinished()

    def oldest(self) -> datetime | None:
        """Return when the request was begun that has been under way longest; None where none is."""
        return self._book.oldest()

    @property
    def parked_count(self) -> int:
        """Return how many requests are parked, for their budget or for a batch."""
        return len(self._book.waiting())

    async def leave(self) -> None:
        """Give the partition up: its bursts are broken off, and nothing more of it is kept or emitted."""
        await self._context.scheduler.drop(self.source)
        self._is_gone = True
        self._book.forget()
        self._on_leave(self.source)
