"""The books of requests and batches: what a partition knows of them, as much in the state as another worker needs."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime

from agents.generation.asking.calls import CallMemory
from agents.generation.drafting.draft_work import DraftOutcome
from agents.generation.kept.entries import (
    BATCHES,
    FINISHED,
    PARKED,
    UNDER_WAY,
    BatchJob,
    FinishedRequest,
    ParkedRequest,
    UnderWay,
)
from agents.personas.directory import AppliedPersona
from schemas.records import CostEvent, HookChoice
from streams.engine.stage import Change

MAX_FINISHED = 10_000
"""Requests remembered for each partition; one that comes again later than that is written anew, with the same ids."""


@dataclass(slots=True)
class RequestWork:
    """A request whose drafts are being written: the offsets that wait for it, and what came of its drafts by now.

    `offset` is where it stood in its partition first; `offsets` is empty for a parked one, which no offset waits for.
    `requested_at` is when it was asked for; None for one that was to wait.
    """

    offset: int
    applied: AppliedPersona
    drafts: int
    begun_at: datetime
    offsets: list[int] = field(default_factory=list)
    outcomes: dict[int, DraftOutcome] = field(default_factory=dict)
    choices: tuple[HookChoice | None, ...] = ()
    requested_at: datetime | None = None

    @property
    def is_complete(self) -> bool:
        """Tell whether every draft has come to something."""
        return len(self.outcomes) == self.drafts

    def finished(self) -> FinishedRequest:
        """Return all that came of it, in the order of its drafts."""
        outcomes = [self.outcomes[number] for number in sorted(self.outcomes)]
        return FinishedRequest(
            offset=self.offset,
            drafts=tuple(each.draft for each in outcomes if each.draft is not None),
            costs=tuple(cost for each in outcomes for cost in each.costs),
            faults=tuple(each.fault for each in outcomes if each.fault is not None),
            savings=tuple(saving for each in outcomes for saving in each.savings),
        )


class FinishedRequests:
    """The finished requests of one partition by event_id, the newest `limit` of them: they come again as they were."""

    def __init__(self, state: Iterable[tuple[bytes, bytes]] = (), *, limit: int = MAX_FINISHED) -> None:
        self._limit = limit
        self._known = dict(sorted(FINISHED.restored(state).items(), key=lambda item: item[1].offset))

    def find(self, request_id: str) -> FinishedRequest | None:
        """Return what came of a request; None when it is unknown."""
        return self._known.get(request_id)

    def remember(self, request_id: str, finished: FinishedRequest) -> list[Change]:
        """Remember a request; return the changes of state, tombstones of the oldest included."""
        self._known[request_id] = finished
        changes = [FINISHED.kept(request_id, finished)]
        while len(self._known) > self._limit:
            oldest = next(iter(self._known))
            del self._known[oldest]
            changes.append(FINISHED.dropped(oldest))
        return changes


class RequestBook:
    """The requests of one partition, by event_id.

    Methods that change what is kept return the changes of state, to be made durable at the next checkpoint.
    """

    def __init__(self, state: Iterable[tuple[bytes, bytes]], memory: CallMemory) -> None:
        entries = list(state)
        self._memory = memory
        self._work: dict[str, RequestWork] = {}
        self._open: dict[int, str] = {}  # offset to request, in ascending order
        self._begun = UNDER_WAY.restored(entries)  # kept in the state
        self._parked = PARKED.restored(entries)
        self._finished = FinishedRequests(entries)
        self._ended = [each for each in self._parked if self._finished.find(each) is not None]
        self._emitted: list[str] = []  # parked, and emitted by the flush before: durable when the next one begins
        for request_id, begun in self._begun.items():
            memory.restore(request_id, begun.calls)

    def finished(self, request_id: str) -> FinishedRequest | None:
        """Return what came of a request; None while it is not finished, or unknown."""
        return self._finished.find(request_id)

    def work(self, request_id: str) -> RequestWork | None:
        """Return the work on a request; None where there is none."""
        return self._work.get(request_id)

    def begun_with(self, request_id: str) -> AppliedPersona | None:
        """Return the persona that an earlier worker began the request with; None where no call of it was finished."""
        begun = self._begun.get(request_id)
        return begun.applied if begun else None

    def chosen(self, request_id: str) -> tuple[HookChoice | None, ...]:
        """Return the hook styles that its drafts were begun or parked with; empty where none is known."""
        found = self._begun.get(request_id) or self._parked.get(request_id)
        return found.choices if found else ()

    def begin(self, request_id: str, work: RequestWork) -> None:
        """Note that the drafts of a request are being written."""
        self._work[request_id] = work
        for offset in work.offsets:
            self._open[offset] = request_id

    def join(self, request_id: str, offset: int) -> None:
        """Let another record of the same request wait for the work on it."""
        self._work[request_id].offsets.append(offset)
        self._open[offset] = request_id

    def unfinished(self) -> int | None:
        """Return the oldest offset that waits for its request; None where none does."""
        return next(iter(self._open), None)

    def oldest(self) -> datetime | None:
        """Return when the request was begun that has been under way longest; None where none is."""
        return min((work.begun_at for work in self._work.values()), default=None)

    def calls_to_keep(self, request_id: str) -> list[Change]:
        """Return the state of a request with calls that are not kept yet; nothing where it is finished."""
        work = self._work.get(request_id)
        if work is None:
            return []
        applied, calls = work.applied, dict(self._memory.of(request_id))
        begun = UnderWay(applied.version, applied.persona.definition(), calls, work.choices)
        self._begun[request_id] = begun
        return [UNDER_WAY.kept(request_id, begun)]

    def finish(self, request_id: str) -> tuple[FinishedRequest, list[Change]]:
        """Take a request as finished; return what came of it."""
        work = self._work.pop(request_id)
        for offset in work.offsets:
            del self._open[offset]
        finished = work.finished()
        changes = self._finished.remember(request_id, finished)
        if self._begun.pop(request_id, None) is not None:
            changes.append(UNDER_WAY.dropped(request_id))
        if request_id in self._parked:
            self._ended.append(request_id)
        self._memory.forget(request_id)
        return finished, changes

    def give_up(self, parked: ParkedRequest, fault: str, costs: tuple[CostEvent, ...] = ()) -> list[Change]:
        """Take a parked request as finished without a draft."""
        request_id = parked.request.event_id
        self._ended.append(request_id)
        return self._finished.remember(request_id, FinishedRequest(parked.offset, (), costs, (fault,)))

    def park(self, parked: ParkedRequest) -> list[Change]:
        """Park a request, or park it anew."""
        request_id = parked.request.event_id
        self._parked[request_id] = parked
        return [PARKED.kept(request_id, parked)]

    @property
    def ended(self) -> tuple[str, ...]:
        """Return the parked requests that came to an end since the last flush.

        At a restore these are those that ended before it: nobody knows whether what came of them was emitted.
        """
        return tuple(self._ended)

    @property
    def has_ended(self) -> bool:
        """Tell whether a parked request has ended and is still kept."""
        return bool(self._ended or self._emitted)

    def flushed(self) -> list[Change]:
        """Note that a flush begins; return the changes that let go of the parked requests that the last one emitted.

        No offset waits for a parked request: it is kept until what came of it is durable, so that a crash in between
        emits it again.
        """
        emitted, self._emitted, self._ended = self._emitted, self._ended, []
        for request_id in emitted:
            del self._parked[request_id]
        return [PARKED.dropped(request_id) for request_id in emitted]

    def parked_request(self, request_id: str) -> ParkedRequest | None:
        """Return a request that is parked, or was and is under way now; None for any other."""
        return self._parked.get(request_id)

    def is_parked(self, request_id: str) -> bool:
        """Tell whether a request is parked, or was and is under way now."""
        return request_id in self._parked

    def waiting(self) -> list[ParkedRequest]:
        """Return the parked requests that neither go on nor have come to an end."""
        return [
            each
            for request_id, each in self._parked.items()
            if request_id not in self._work and self._finished.find(request_id) is None
        ]

    def due(self, now: datetime) -> list[ParkedRequest]:
        """Return the parked requests that may go on: those whose time has come, and those whose batch has answered."""
        return [each for each in self.waiting() if (self.is_answered(each) if each.for_batch else each.until <= now)]

    def is_answered(self, parked: ParkedRequest) -> bool:
        """Tell whether there are finished calls of a parked request: its batch has answered."""
        return parked.request.event_id in self._begun

    def forget(self) -> None:
        """Forget the calls of all requests under way: the partition goes."""
        for request_id in [*self._work, *self._begun]:
            self._memory.forget(request_id)


class BatchBook:
    """The jobs that have not ended; `keep` is handed every change of state."""

    def __init__(
        self,
        state: Iterable[tuple[bytes, bytes]],
        requests: RequestBook,
        keep: Callable[[Iterable[Change]], None],
    ) -> None:
        self._requests = requests
        self._keep = keep
        self._jobs = {job.key: job for job in BATCHES.restored(state).values()}

    @property
    def has_any(self) -> bool:
        """Tell whether a request waits for a batch, or a batch has not ended."""
        return bool(self._jobs) or any(each.for_batch for each in self._requests.waiting())

    def jobs(self) -> list[BatchJob]:
        """Return the jobs that have not ended."""
        return list(self._jobs.values())

    def without_job(self) -> list[ParkedRequest]:
        """Return the requests that wait for a batch and are in none yet, in the order in which they came."""
        in_jobs = {request_id for job in self._jobs.values() for request_id in job.request_ids}
        requests = self._requests
        return [
            each
            for each in requests.waiting()
            if each.for_batch and each.request.event_id not in in_jobs and not requests.is_answered(each)
        ]

    def requests_of(self, job: BatchJob) -> list[ParkedRequest]:
        """Return the requests of a job that still wait for it."""
        waiting = {each.request.event_id: each for each in self._requests.waiting()}
        return [waiting[request_id] for request_id in job.request_ids if request_id in waiting]

    def keep(self, job: BatchJob) -> None:
        """Keep a job, or what became known of it."""
        self._jobs[job.key] = job
        self._keep([BATCHES.kept(job.key, job)])

    def end(self, job: BatchJob) -> None:
        """Forget a job: its requests are under way, or wait for another."""
        del self._jobs[job.key]
        self._keep([BATCHES.dropped(job.key)])
